package gate

import (
	"strings"
	"testing"

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
