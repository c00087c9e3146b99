package redis

import (
	"strings"
	"testing"

	"github.com/usherauth/usher/store"
)

// TestKeys: every token that is ever looked up is told when its key changes, and nobody else's name is looked up.
func TestKeys(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]store.Tag{
		"token":                       store.SessionTag("token"),
		"revoked-sessions-before-u1":  store.UserTag("u1"),
		"active-sessions-u1":          {},
		"verification:x":              {},
		"api-key:by-id:1":             {},
		"192.0.2.1|/sign-in/email":    {},
		"a|b":                         store.SessionTag("a|b"),
		"":                            {},
		"a\nb":                        {},
		strings.Repeat("a", 600):      {},
		"active-session":              store.SessionTag("active-session"),
		"x-revoked-sessions-before-u": store.SessionTag("x-revoked-sessions-before-u"),
	} {
		got, ok := tagOf(name)
		if got != want || ok != (want != store.Tag{}) {
			t.Errorf("%q: %v, %v", name, got, ok)
		}
		if askable(name) != (ok && want == store.SessionTag(name)) {
			t.Errorf("%q: askable: %v", name, askable(name))
		}
	}
}
