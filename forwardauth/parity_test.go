package forwardauth_test

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/usherauth/usher/gate"
)

// TestParity sends every case of testdata/parity through every edge. The same request must come to the same end.
//
// A case is a section: its request line, headers, directives that begin with "!", and expectations:
//
//	=> STATUS [REASON [as PERSON] [to LOCATION]]
//	EDGE => …     where one edge differs: grpc and http stand for all of a kind
//
// A line in double quotes is a Go string. Whatever the case says, no identity header of the client ever reaches a
// backend, and no refusal shows one.
func TestParity(t *testing.T) {
	files, err := filepath.Glob("testdata/parity/*.txtar")
	must(t, err)
	total := 0
	for _, file := range files {
		for _, c := range parseCases(t, file) {
			total++
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				for _, e := range edges() {
					t.Run(e.name, func(t *testing.T) { c.run(t, e) })
				}
			})
		}
	}
	if total < 60 {
		t.Errorf("only %d cases; are the files there?", total)
	}
}

type parityCase struct {
	name     string
	original original
	broken   bool
	hanging  bool
	disabled bool
	want     map[string]expectation // by edge, kind of edge, or "" for all
}

type expectation struct {
	status   int
	reason   string
	person   string
	location string
}

func (c parityCase) run(t *testing.T, e edge) {
	w := newWorld(t, func(config *gate.Config) { config.Disabled = c.disabled })
	if c.broken {
		w.sessions.Break(errDown)
	}
	w.sessions.Hang(c.hanging)
	got := e.ask(t, w, c.original)
	kind := "http"
	if strings.HasPrefix(e.name, "grpc") {
		kind = "grpc"
	}
	want, ok := c.want[""]
	for _, selector := range []string{kind, e.name} {
		if special, found := c.want[selector]; found {
			want, ok = special, true
		}
	}
	if !ok {
		t.Fatal("the case says nothing about this edge")
	}
	if got.status != want.status || got.reason != want.reason {
		t.Errorf("got %d %s, want %d %s", got.status, got.reason, want.status, want.reason)
	}
	if location := got.answer.Get("Location"); location != want.location {
		t.Errorf("location %q, want %q", location, want.location)
	}
	if got.backend != nil {
		c.checkBackend(t, w, got, identities[want.person])
	} else if got.reason != "" { // else it was no question: 400 of net/http, 404
		c.checkRefusal(t, w, got)
	}
}

// checkBackend compares every header a backend could take for identity, by the most careless reading there is.
func (c parityCase) checkBackend(t *testing.T, w *world, got outcome, want map[string]string) {
	t.Helper()
	names := make(map[string]bool)
	for _, name := range w.headers.Names() {
		names[strings.ToLower(name)] = true
	}
	have := make(map[string]string)
	for name, values := range got.backend {
		if names[fold(name)] {
			have[name] = strings.Join(values, "|")
		}
	}
	for _, value := range got.backend["authorization"] {
		if strings.Contains(value, "ushi_") {
			t.Errorf("the backend is shown a service token: %q", value)
		}
	}
	for _, line := range c.original.lines {
		if strings.EqualFold(line.Name, "authorization") && line.Value != "" && !strings.Contains(line.Value, "ushi_") && !c.disabled &&
			!slices.Contains(got.backend["authorization"], line.Value) {
			t.Errorf("the backend is not shown the client's %q", line.Value)
		}
	}
	if !maps.Equal(have, want) {
		t.Errorf("the backend is told\n%v, want\n%v", have, want)
	}
}

func (c parityCase) checkRefusal(t *testing.T, w *world, got outcome) {
	t.Helper()
	for _, name := range w.headers.Names() {
		if got.answer.Get(name) != "" {
			t.Errorf("a refusal shows %s", name)
		}
	}
	header := func(name, want string) {
		t.Helper()
		if have := got.answer.Values(name); len(have) != 1 || have[0] != want {
			t.Errorf("%s is %q, want %q", name, have, want)
		}
	}
	header("Cache-Control", "no-store")
	header("X-Usher-Reason", got.reason)
	body := ""
	switch got.status {
	case 401:
		header("WWW-Authenticate", "Bearer")
		body = `"code":"UNAUTHORIZED"`
	case 403:
		body = `"code":"` + got.reason + `"`
	case 503:
		header("Retry-After", "1")
		body = `"code":"` + got.reason + `"`
	}
	if c.original.method == "HEAD" {
		return
	}
	if !strings.Contains(got.body, body) || (body == "") != (got.body == "") {
		t.Errorf("body %q, want %s in it", got.body, body)
	}
}

func fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name)
}

// parseCases reads a txtar file: "-- NAME --" begins a case; what stands before the first one is a comment.
func parseCases(t testing.TB, file string) (cases []*parityCase) {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	scanner := bufio.NewScanner(f)
	for line := 1; scanner.Scan(); line++ {
		text := scanner.Text()
		if name, ok := strings.CutPrefix(text, "-- "); ok {
			cases = append(cases, &parityCase{
				name: strings.TrimSuffix(name, " --"), original: original{peer: proxyAddr}, want: make(map[string]expectation),
			})
			continue
		}
		if len(cases) == 0 || text == "" {
			continue
		}
		if err := cases[len(cases)-1].add(text); err != nil {
			t.Fatalf("%s:%d: %v", file, line, err)
		}
	}
	return cases
}

func (c *parityCase) add(text string) (err error) {
	if strings.HasPrefix(text, `"`) {
		if text, err = strconv.Unquote(text); err != nil {
			return err
		}
	}
	if directive, ok := strings.CutPrefix(text, "!"); ok {
		what, value, _ := strings.Cut(directive, " ")
		switch what {
		case "rule":
			c.original.rule = value
		case "peer":
			c.original.peer = value
		case "broken":
			c.broken = true
		case "hanging":
			c.hanging = true
		case "disabled":
			c.disabled = true
		case "bigcookie", "bigheader", "bigquery":
			return c.fill(what, value)
		default:
			return fmt.Errorf("unknown directive %q", what)
		}
		return nil
	}
	if selector, rest, ok := strings.Cut(text, "=> "); ok && !strings.Contains(selector, ":") {
		return c.expect(strings.TrimSpace(selector), strings.Fields(rest))
	}
	if c.original.method == "" {
		var rest string
		c.original.method, rest, _ = strings.Cut(text, " ")
		c.original.scheme, rest, _ = strings.Cut(rest, "://")
		end := strings.IndexAny(rest, "/?*|")
		if end < 0 {
			return fmt.Errorf("%q: want METHOD scheme://host/target", text)
		}
		c.original.host, c.original.target = rest[:end], strings.TrimPrefix(rest[end:], "|")
		return nil
	}
	name, value, ok := strings.Cut(text, ": ")
	if !ok {
		return fmt.Errorf("%q: want a header", text)
	}
	c.original.lines = append(c.original.lines, gate.Header{Name: name, Value: value})
	return nil
}

// fill adds what is too long to be written down.
func (c *parityCase) fill(what, value string) error {
	name, size, _ := strings.Cut("Cookie "+value, " ")
	if what == "bigheader" {
		name, size, _ = strings.Cut(value, " ")
	}
	n, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	long := strings.Repeat("x", n)
	switch what {
	case "bigcookie":
		c.original.lines = append(c.original.lines, gate.Header{Name: name, Value: "long=" + long + "; session=alice"})
	case "bigheader":
		c.original.lines = append(c.original.lines, gate.Header{Name: name, Value: long})
	case "bigquery":
		c.original.target += "?" + long
	}
	return nil
}

func (c *parityCase) expect(selector string, words []string) (err error) {
	e := expectation{person: "nobody"}
	if e.status, err = strconv.Atoi(words[0]); err != nil {
		return err
	}
	if rest := words[1:]; len(rest) > 0 {
		e.reason = rest[0]
		for pair := range slices.Chunk(rest[1:], 2) {
			switch pair[0] {
			case "as":
				if e.person = pair[1]; identities[e.person] == nil {
					return fmt.Errorf("who is %q?", e.person)
				}
			case "to":
				e.location = pair[1]
			default:
				return fmt.Errorf("unknown word %q", pair[0])
			}
		}
	}
	c.want[selector] = e
	return nil
}
