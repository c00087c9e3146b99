package redis

import (
	"strings"

	"github.com/usherauth/usher/store"
)

// The names that Better Auth gives its keys, after the prefix. A session's is its token.
const (
	activeSessions = "active-sessions-"         // + user id: the tokens of a user, some of them dead
	revokedBefore  = "revoked-sessions-before-" // + user id: sessions made before that instant are dead
	verification   = "verification:"            // + identifier
	apiKeys        = "api-key:"                 // + hash, or more words and an id
	counter        = "|/"                       // within the name of a rate limit's counter: address|path
)

// askable reports whether a token can be that of a session. What a client sends is signed, but any signed cookie of
// Better Auth verifies in the place of any other, so it may name a key that holds something else.
//
// Names that are somebody else's are never asked for, so nobody misses anything when their changes are not told.
func askable(token string) bool {
	if !store.Askable(token) || others(token) {
		return false
	}
	for i := range len(token) {
		if token[i] < ' ' || token[i] == 0x7f {
			return false
		}
	}
	return true
}

// others reports whether a key, without the prefix, is not a session's by its name.
func others(name string) bool {
	return strings.HasPrefix(name, activeSessions) || strings.HasPrefix(name, revokedBefore) ||
		strings.HasPrefix(name, verification) || strings.HasPrefix(name, apiKeys) || strings.Contains(name, counter)
}

// tagOf is what a change of a key, without the prefix, concerns.
func tagOf(name string) (t store.Tag, ok bool) {
	if user, found := strings.CutPrefix(name, revokedBefore); found {
		return store.UserTag(user), true
	}
	if askable(name) {
		return store.SessionTag(name), true
	}
	return store.Tag{}, false
}
