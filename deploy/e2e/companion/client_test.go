package companion

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/testenv"
)

// The unmodified client of Better Auth does not notice who answers: it asks the same, is told the same, and its hooks hold
// the same, call by call.
func TestOfficialClientKnowsNeitherApart(t *testing.T) {
	t.Parallel()
	knowsNeitherApart(t, "client.mjs", 76)
}

// Nor do React's hooks: a page that React renders asks for the same, and shows the same, state by state.
func TestReactKnowsNeitherApart(t *testing.T) {
	t.Parallel()
	knowsNeitherApart(t, "react.mjs", 13)
}

// knowsNeitherApart runs a scenario against both sides, and compares them step by step. It has so many.
func knowsNeitherApart(t *testing.T, script string, number int) {
	t.Helper()
	sqlite := storage{database: func(t *testing.T) string { return "sqlite://" + filepath.Join(t.TempDir(), "app.db") }}
	var want, got []string
	t.Run("scenario", func(t *testing.T) {
		for who, log := range map[side]*[]string{js: &want, goSide: &got} {
			t.Run(string(who), func(t *testing.T) {
				t.Parallel()
				s := newSite(t, sqlite, nil, nil)
				s.at(who)
				*log = s.officialClient(t, script)
			})
		}
	})
	if len(want) != len(got) || len(want) != number {
		t.Fatalf("%d steps with Better Auth, %d with Usher", len(want), len(got))
	}
	for i := range want {
		if want[i] != got[i] {
			t.Error(differing(want[i], got[i]))
		}
	}
}

// differing is the first line of a step that is not the same on both sides, or all of them where their number is not.
func differing(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	if len(a) == len(b) {
		for i := range a {
			if a[i] != b[i] {
				want, got = a[i], b[i]
				break
			}
		}
	}
	return a[0] + "\nBetter Auth: " + want + "\nUsher:       " + got
}

// officialClient runs a scenario of the rig and returns what it printed, made comparable, step by step.
func (s *site) officialClient(t *testing.T, script string) []string {
	t.Helper()
	options, err := json.Marshal(map[string]string{"baseURL": s.url, "setup": s.sides[js].String()})
	if err != nil {
		t.Fatal(err)
	}
	p := testenv.Start(t, testenv.Command{
		Path: testenv.Part(t, "node"), Args: []string{testenv.RigScript(t, script)},
		Env: []string{"PATH=" + os.Getenv("PATH"), "TZ=UTC", "RIG_OPTIONS=" + string(options)},
	})
	<-p.Exited()
	if p.ExitCode(t) != 0 || !strings.Contains(p.Output(), `{"done":true}`) {
		t.Fatalf("the scenario ended early:\n%s", p.Output())
	}
	names := newNames(s)
	var steps []string
	in := bufio.NewScanner(strings.NewReader(p.Output()))
	in.Buffer(nil, 8<<20)
	for in.Scan() {
		line := names.normal(in.Text())
		if strings.HasPrefix(line, `{"step"`) || len(steps) == 0 {
			steps = append(steps, line)
			continue
		}
		steps[len(steps)-1] += "\n" + line
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}

// names replaces what differs from run to run: addresses, times, and random texts. The same text gets the same name
// wherever it stands, so that an id that turns up in the wrong place is seen.
type names struct {
	fixed *strings.Replacer
	known map[string]string
}

func newNames(s *site) *names {
	escape := func(u string) string { return strings.NewReplacer(":", "%3A", "/", "%2F").Replace(u) }
	return &names{known: map[string]string{}, fixed: strings.NewReplacer(
		s.url, "SITE", escape(s.url), "SITE", s.idp.URL, "IDP", escape(s.idp.URL), "IDP",
	)}
}

var (
	moment = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)
	jwt    = regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`)
	// signature is of a cookie, 32 bytes in base64, escaped or not.
	signature = regexp.MustCompile(`\.(?:[A-Za-z0-9+/]|%2B|%2F){43}(?:=|%3D)`)
	random    = regexp.MustCompile(`[A-Za-z0-9_-]{32,128}`)
)

func (n *names) normal(line string) string {
	line = n.fixed.Replace(line)
	line = moment.ReplaceAllString(line, "TIME")
	line = signature.ReplaceAllString(line, ".SIGNATURE")
	line = jwt.ReplaceAllString(line, "JWT")
	return random.ReplaceAllStringFunc(line, func(text string) string {
		if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "" {
			return text // a code of an error
		}
		if n.known[text] == "" {
			n.known[text] = fmt.Sprintf("RANDOM%d_%d", len(text), len(n.known))
		}
		return n.known[text]
	})
}
