package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Problem is one thing that is wrong, and where. It never holds a secret.
type Problem struct {
	File         string // as it was named; empty: not in a file
	Line, Column int    // in File, from 1; 0: nowhere in it, because something is missing
	Variable     string // environment variable; empty: not from the environment
	Key          string // store.url; rules[2].path
	Message      string // what is wrong, and what to do
	Warning      bool   // Usher runs all the same
	Missing      bool   // nothing that was written is wrong: a key that must be set is not
}

// String is "usher.yaml:14:7: store.url: …" or "env USHER_STORE_URL: …".
func (p Problem) String() string {
	var b strings.Builder
	switch {
	case p.Variable != "":
		b.WriteString("env " + p.Variable + ": ")
	case p.Line > 0:
		fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Line, p.Column)
	case p.File != "":
		b.WriteString(p.File + ": ")
	}
	if p.Key != "" && p.Variable != variableOf(p.Key) {
		b.WriteString(p.Key + ": ")
	}
	return b.String() + p.Message
}

// Refused reports whether a configuration with these problems cannot be used: warnings alone do not matter.
func Refused(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning })
}

// place is where a value was written.
type place struct {
	line, column int
	variable     string
	shared       bool // the variable is one of Better Auth's own
}

// findings gathers problems, and remembers where each key was set.
type findings struct {
	file     string
	builtIn  []string         // names of providers
	places   map[string]place // by key; sections too
	problems []Problem
}

// at notes a problem at a place.
func (f *findings) at(p place, key, format string, args ...any) {
	problem := Problem{
		Line: p.line, Column: p.column, Variable: p.variable, Key: showable(key), Message: fmt.Sprintf(format, args...),
	}
	if p.variable == "" {
		problem.File = f.file
	}
	f.problems = append(f.problems, problem)
}

// problem notes one where the key was set, or else where its section begins.
func (f *findings) problem(key, format string, args ...any) { f.at(f.find(key), key, format, args...) }

// warn notes what one should know.
func (f *findings) warn(key, format string, args ...any) {
	f.problem(key, format, args...)
	f.problems[len(f.problems)-1].Warning = true
}

// missing notes that nobody set a key that must be set.
func (f *findings) missing(key, format string, args ...any) {
	f.problem(key, "is missing; "+format, args...)
	f.problems[len(f.problems)-1].Missing = true
}

// find is the place of a key, or of the closest section around it that was written.
func (f *findings) find(key string) place {
	for at := key; at != ""; at = at[:max(strings.LastIndexAny(at, ".["), 0)] {
		if p, ok := f.places[at]; ok {
			return p
		}
	}
	return place{}
}

// noted reports whether something was said about the key already.
func (f *findings) noted(key string) bool {
	return slices.ContainsFunc(f.problems, func(p Problem) bool { return p.Key == key })
}

// forget drops the places of a key and of everything below it, before it is set anew.
func (f *findings) forget(key string) {
	for at := range f.places {
		if rest, below := strings.CutPrefix(at, key); below && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			delete(f.places, at)
		}
	}
}

// sorted orders problems as a reader meets them: the file from top to bottom, then variables by name, then what is
// nowhere. What is said twice is said once.
func (f *findings) sorted() []Problem {
	rank := func(p Problem) int {
		switch {
		case p.Line > 0:
			return 0
		case p.Variable != "":
			return 1
		default:
			return 2
		}
	}
	slices.SortStableFunc(f.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Variable, b.Variable), cmp.Compare(a.Key, b.Key))
	})
	return slices.Compact(f.problems)
}

// quoted shows a value that is no secret in a message: shortened, and nothing that could be a credential in a URL.
func quoted(value string) string {
	if strings.Contains(value, "@") {
		return "the value"
	}
	if runes := []rune(value); len(runes) > 60 {
		value = string(runes[:60]) + "…"
	}
	return strconv.Quote(value)
}

// showable is a key as far as it looks like one: what was written without the space behind its colon is a key to YAML,
// with the secret in it.
func showable(key string) string {
	odd := func(r rune) bool {
		return r != '_' && r != '.' && r != '-' && r != '[' && r != ']' && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	}
	if at := strings.IndexFunc(key, odd); at >= 0 {
		return key[:at] + "…"
	}
	return key[:min(len(key), 200)]
}
