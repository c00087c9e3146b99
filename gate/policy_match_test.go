package gate

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// slow is matchSegments as one would explain it.
func slow(pattern, path []string) bool {
	if len(pattern) == 0 {
		return len(path) == 0
	}
	if pattern[0] == "**" {
		for i := range len(path) + 1 {
			if slow(pattern[1:], path[i:]) {
				return true
			}
		}
		return false
	}
	return len(path) > 0 && matchSegment(pattern[0], path[0]) && slow(pattern[1:], path[1:])
}

func TestMatchSegmentsAgreesWithItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "**", "*", "a*"}), 1, 6).Draw(t, "pattern")
		path := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "ab", ""}), 1, 7).Draw(t, "path")
		if got, want := matchSegments(pattern, strings.Join(path, "/")), slow(pattern, path); got != want {
			t.Fatalf("%v on %v: got %v, want %v", pattern, path, got, want)
		}
	})
}

func TestTheLeadOfAPatternHidesNoMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "**", "*", "a*", "*b", "a*b"}), 1, 4).Draw(t, "pattern")
		path := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "ab", "aab", ""}), 1, 5).Draw(t, "path"), "/")
		policy, err := NewPolicy([]Rule{{Path: "/" + strings.Join(pattern, "/")}})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := policy.rules[0].matches("", "/"+path, "GET"), matchSegments(pattern, path); got != want {
			t.Fatalf("%v on %s: got %v, want %v", pattern, path, got, want)
		}
	})
}

func TestGlobSegmentAgreesWithItsDefinition(t *testing.T) {
	var matches func(pattern, s string) bool
	matches = func(pattern, s string) bool {
		switch {
		case pattern == "":
			return s == ""
		case pattern[0] == '*':
			return matches(pattern[1:], s) || s != "" && matches(pattern, s[1:])
		default:
			return s != "" && s[0] == pattern[0] && matches(pattern[1:], s[1:])
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab?*]{0,8}`).Draw(t, "pattern")
		s := rapid.StringMatching(`[ab?*]{0,10}`).Draw(t, "segment")
		if got, want := matchSegment(pattern, s), matches(pattern, s); got != want {
			t.Fatalf("%q on %q: got %v, want %v", pattern, s, got, want)
		}
		// Origins have ? besides.
		question := strings.ReplaceAll(pattern, "?", "a")
		if got, want := wildcard(question, s), matches(question, s); got != want {
			t.Fatalf("origin %q on %q: got %v, want %v", question, s, got, want)
		}
	})
}

func TestPatternsMatchInBoundedTime(t *testing.T) {
	long := strings.Repeat("a", 16<<10)
	deep := strings.Repeat("a/", 8<<10)
	for _, c := range []struct{ pattern, path string }{
		{"/" + strings.Repeat("*a", 50) + "*b", "/" + long},
		{"/" + strings.Repeat("**/a/", 50) + "b", "/" + deep},
		{"/**/" + strings.Repeat("*a*/", 20) + "b", "/" + deep},
	} {
		policy, err := NewPolicy([]Rule{{Path: c.pattern, Access: Open}})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if policy.match("", c.path, "GET") != &fallback {
			t.Errorf("%.20s matches", c.pattern)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%.20s took %s", c.pattern, took)
		}
	}
}
