package config

import (
	"regexp"
	"sync"
)

// pattern reports whether a text matches a regular expression, which is compiled when it is first asked: a start needs
// few of them, and compiling all would be a tenth of what comes before main.
func pattern(expression string) func(string) bool {
	compiled := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
	return func(text string) bool { return compiled().MatchString(text) }
}
