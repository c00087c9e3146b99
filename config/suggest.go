package config

import (
	"slices"
	"strings"
	"unicode"
)

// didYouMean is "; did you mean x?" for the nearest of the words, or nothing when none is near.
func didYouMean(word string, words []string) string {
	if best := nearest(word, words); best != "" {
		return "; did you mean " + best + "?"
	}
	return ""
}

// nearest is the word that takes the fewest changes to reach, if that is few enough to be a slip.
func nearest(word string, words []string) string {
	best, bestDistance := "", max(2, len(word)/4)+1
	for _, candidate := range words {
		if d := distance(snake(word), snake(candidate)); d < bestDistance && d < len(candidate) {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// snake turns Better Auth's own spelling into ours: cookiePrefix becomes cookie_prefix.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 && unicode.IsLower(rune(name[i-1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.ReplaceAll(b.String(), "-", "_")
}

// distance counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 100 {
		return len(a)
	}
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// unknownKey says what to do about a key that is not there.
func unknownKey(key string, siblings []string) string {
	section, name := "", key
	if dot := strings.LastIndexByte(key, '.'); dot >= 0 {
		section, name = key[:dot], key[dot+1:]
	}
	if name, _, colon := strings.Cut(name, ":"); colon && slices.Contains(siblings, name) {
		return "put a space behind the colon"
	}
	if key == "better_auth.advanced" {
		return "unknown key; members of Better Auth's `advanced` stand directly below better_auth"
	}
	if slices.Contains(siblings, snake(name)) {
		return "unknown key; did you mean " + snake(name) + "?"
	}
	if best := nearest(name, siblings); best != "" {
		return "unknown key; did you mean " + best + "?"
	}
	for _, known := range keysOf(Default()) { // the right name in the wrong section
		if at, found := strings.CutSuffix(known.path, "."+snake(name)); found && at != section {
			return "unknown key; did you mean " + known.path + "?"
		}
	}
	return "unknown key; docs/configuration.md lists them"
}
