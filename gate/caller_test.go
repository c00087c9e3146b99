package gate_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/usherauth/usher/gate"
)

// serviceToken is a token of the right form that belongs to nobody in particular.
func serviceToken(seed byte) string { return gate.ServicePrefix + strings.Repeat(string(seed), 43) }

func sha(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func newCallers(t testing.TB, list ...gate.Caller) *gate.Callers {
	t.Helper()
	callers, err := gate.NewCallers(list)
	must(t, err)
	return callers
}

func TestNewCallers(t *testing.T) {
	hash := []string{sha("a")}
	for _, c := range []struct {
		it     string
		caller gate.Caller
		want   string
	}{
		{"a token", gate.Caller{Name: "a", TokenSHA256: hash}, ""},
		{"two tokens", gate.Caller{Name: "a", TokenSHA256: []string{sha("a"), strings.ToUpper(sha("b"))}}, ""},
		{"an id", gate.Caller{Name: "a", SPIFFE: []string{"spiffe://prod.example_1-2/ns/agents/*", "spiffe://prod/**", "spiffe://prod", "spiffe://prod/a/**/b*c"}}, ""},
		{"no name", gate.Caller{TokenSHA256: hash}, `internal.callers[0].name: "": a name has 1 to 64 characters`},
		{"a long name", gate.Caller{Name: strings.Repeat("a", 65), TokenSHA256: hash}, "1 to 64"},
		{"a line break", gate.Caller{Name: "a\nb", TokenSHA256: hash}, "use letters"},
		{"a percent sign", gate.Caller{Name: "a%b", TokenSHA256: hash}, "use letters"},
		{"no proof", gate.Caller{Name: "a"}, `internal.callers[0]: "a" has neither`},
		{"three tokens", gate.Caller{Name: "a", TokenSHA256: []string{sha("a"), sha("b"), sha("c")}}, "two at most"},
		{"the same twice", gate.Caller{Name: "a", TokenSHA256: []string{sha("a"), strings.ToUpper(sha("a"))}}, "is there twice"},
		{"a token itself", gate.Caller{Name: "a", TokenSHA256: []string{serviceToken('x')}}, "a token itself"},
		{"no hash", gate.Caller{Name: "a", TokenSHA256: []string{""}}, "64 hexadecimal digits"},
		{"a short hash", gate.Caller{Name: "a", TokenSHA256: []string{"abcd"}}, "64 hexadecimal digits"},
		{"no hex", gate.Caller{Name: "a", TokenSHA256: []string{strings.Repeat("g", 64)}}, "64 hexadecimal digits"},
		{"another scheme", gate.Caller{Name: "a", SPIFFE: []string{"https://prod/a"}}, "spiffe://trust-domain/path"},
		{"an upper-case scheme", gate.Caller{Name: "a", SPIFFE: []string{"SPIFFE://prod/a"}}, "spiffe://trust-domain/path"},
		{"no scheme", gate.Caller{Name: "a", SPIFFE: []string{"**"}}, "spiffe://trust-domain/path"},
		{"any trust domain", gate.Caller{Name: "a", SPIFFE: []string{"spiffe://*/a"}}, "no *"},
		{"no trust domain", gate.Caller{Name: "a", SPIFFE: []string{"spiffe:///a"}}, "trust domain"},
		{"a port", gate.Caller{Name: "a", SPIFFE: []string{"spiffe://prod:1/a"}}, "trust domain"},
		{"a user", gate.Caller{Name: "a", SPIFFE: []string{"spiffe://u@prod/a"}}, "trust domain"},
		{"dots", gate.Caller{Name: "a", SPIFFE: []string{"spiffe://prod/../a"}}, "dots"},
		{"a slash at the end", gate.Caller{Name: "a", SPIFFE: []string{"spiffe://prod/a/"}}, "empty"},
		{"stars within", gate.Caller{Name: "a", SPIFFE: []string{"spiffe://prod/a**"}}, "whole segment"},
		{"an escape", gate.Caller{Name: "a", SPIFFE: []string{"spiffe://prod/a%2fb"}}, "letters"},
		{"a query", gate.Caller{Name: "a", SPIFFE: []string{"spiffe://prod/a?b"}}, "letters"},
	} {
		_, err := gate.NewCallers([]gate.Caller{c.caller})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.it, err, c.want)
		}
		if problem, ok := errors.AsType[*gate.CallerError](first(err)); err != nil && (!ok || problem.Index != 0) {
			t.Errorf("%s: %#v", c.it, err)
		}
	}
	_, err := gate.NewCallers([]gate.Caller{{Name: "a", TokenSHA256: hash}, {Name: "a", TokenSHA256: []string{sha("b")}}, {Name: "c", TokenSHA256: hash}})
	if err == nil || !strings.Contains(err.Error(), `internal.callers[1].name: "a" names two callers`) || !strings.Contains(err.Error(), "internal.callers[2].token_sha256") {
		t.Errorf("%v", err)
	}
	if strings.Contains(fmt.Sprint(gate.NewCallers([]gate.Caller{{Name: "a", TokenSHA256: []string{serviceToken('x')}}})), serviceToken('x')) {
		t.Error("a token is printed")
	}
}

func first(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()[0]
	}
	return err
}

func TestSPIFFE(t *testing.T) {
	for _, c := range []struct {
		pattern, id string
		want        bool
	}{
		{"spiffe://prod/ns/agents/*", "spiffe://prod/ns/agents/worker", true},
		{"spiffe://prod/ns/agents/*", "spiffe://prod/ns/agents", false},
		{"spiffe://prod/ns/agents/*", "spiffe://prod/ns/agents/a/b", false},
		{"spiffe://prod/ns/agents/*", "spiffe://prod.evil/ns/agents/a", false},
		{"spiffe://prod/ns/agents/*", "spiffe://evil/ns/agents/a", false},
		{"spiffe://prod/ns/agents/*", "spiffe://evil/spiffe://prod/ns/agents/a", false},
		{"spiffe://prod/ns/agents/*", "SPIFFE://prod/ns/agents/a", false},
		{"spiffe://prod/ns/agents/*", "spiffe://PROD/ns/agents/a", false},
		{"spiffe://prod/ns/agents/*", " spiffe://prod/ns/agents/a", false},
		{"spiffe://prod/ns/agents/*", "spiffe://prod/ns/agents/a ", false},
		{"spiffe://prod/ns/agents/*", "spiffe://prod/ns/agents/a,spiffe://prod/x", false},
		{"spiffe://prod/ns/agents/*", "spiffe://prod/ns/x/../agents/a", false},
		{"spiffe://prod/ns/agents/*", "spiffe://prod/ns/agents/%61", false},
		{"spiffe://prod/ns/agents/*", "spiffe://prod/ns/agents/", false},
		{"spiffe://prod/ns/agents/*", "spiffe://prod//ns/agents/a", false},
		{"spiffe://prod/ns/agents/*", "spiffe://prod/ns/agents/*", false},
		{"spiffe://prod/ns/agents/*", "CN=spiffe://prod/ns/agents/a", false},
		{"spiffe://prod/ns/agents/*", "prod/ns/agents/a", false},
		{"spiffe://prod/ns/agents/*", "", false},
		{"spiffe://prod/ns/agents/*", "spiffe://prod/ns/agents/a\xff", false},
		{"spiffe://prod/ns/agents/*", "spiffe://prod/ns/agents/" + strings.Repeat("a", 2048), false},
		{"spiffe://prod/ns/agents/w*r", "spiffe://prod/ns/agents/worker", true},
		{"spiffe://prod/ns/agents/w*r", "spiffe://prod/ns/agents/work", false},
		{"spiffe://prod/**", "spiffe://prod/a/b/c", true},
		{"spiffe://prod/**", "spiffe://prod", false},
		{"spiffe://prod/**", "spiffe://other/a", false},
		{"spiffe://prod/**/sa/*", "spiffe://prod/ns/a/sa/b", true},
		{"spiffe://prod/**/sa/*", "spiffe://prod/sa/b", true},
		{"spiffe://prod/**/sa/*", "spiffe://prod/ns/a/sa", false},
		{"spiffe://prod", "spiffe://prod", true},
		{"spiffe://prod", "spiffe://prod/a", false},
		{"spiffe://prod", "spiffe://prod/", false},
	} {
		w := newWorld(t, []gate.Rule{{Internal: true}}, func(g *gate.Config) {
			g.Callers = newCallers(t, gate.Caller{Name: "x", SPIFFE: []string{c.pattern}})
		})
		r := get("/")
		r.SPIFFE = c.id
		if got := w.decide(t, r) == "allow INTERNAL"; got != c.want {
			t.Errorf("%s for %q: %v", c.pattern, c.id, got)
		}
	}
}

// TestOneBearer: whatever is a service token to one reader is a session's to none, and whatever BearerToken takes for one
// is kept from backends.
func TestOneBearer(t *testing.T) {
	all, pattern := newHeaders(t), regexp.MustCompile(gate.ServiceTokens)
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"Bearer", "bearer", "BEARER", "Basic", " ", "  ", "\t", "ushi_", "USHI_", "abc", ".", "=", ",", "\"", "-", "%75shi_", ""})
		value := strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(t, "pieces"), "")
		token, ours := gate.BearerToken(value)
		headers, r := all, new(gate.Request)
		headers.Collect(r, "authorization", value)
		removed := strings.Contains(fmt.Sprint(removedFrom(headers, r)), "authorization")
		if removed != pattern.MatchString(value) {
			t.Errorf("%q is removed: %v, and the regular expression says otherwise", value, removed)
		}
		if ours && strings.HasPrefix(token, gate.ServicePrefix) && !removed {
			t.Errorf("%q reaches the backend", value)
		}
		if !strings.Contains(value, gate.ServicePrefix) && removed {
			t.Errorf("%q is taken from the backend", value)
		}
	})
	for value, want := range map[string]bool{
		"Bearer " + serviceToken('a'): true, "bearer\t" + serviceToken('a'): true, serviceToken('a'): true, "Token token=\"" + serviceToken('a') + "\"": true,
		"\tBEARER   " + serviceToken('a') + " ": true, "Basic x, Bearer " + serviceToken('a'): true, "Bearer:" + serviceToken('a'): true, "Bearer abc ushi_": true,
		"Bearer eyJ.ushi_.x": false, "Bearer abcushi_x": false, "Bearer USHI_x": false, "Basic dXNoaV8=": false, "": false, "Bearer a/ushi_": false,
		"Bearer abcushi_x ushi_y": true,
	} {
		headers, r := newHeaders(t), new(gate.Request)
		headers.Collect(r, "Authorization", value)
		if got := strings.Contains(fmt.Sprint(removedFrom(headers, r)), "authorization"); got != want {
			t.Errorf("%q is removed: %v", value, got)
		}
		if pattern.MatchString(value) != want {
			t.Errorf("%q and the regular expression", value)
		}
	}
}

// removedFrom is what an allow of a gate that is switched off removes.
func removedFrom(headers *gate.Headers, r *gate.Request) []string {
	g, err := gate.New(gate.Config{Headers: headers, Disabled: true})
	if err != nil {
		panic(err)
	}
	return g.Answer(r, gate.Decision{Verdict: gate.Allow}).Remove
}
