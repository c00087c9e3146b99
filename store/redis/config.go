package redis

import (
	"errors"
	"fmt"
	"strings"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// Config says which Redis, what Better Auth keeps in it, and what is in the database beside it. The two booleans are
// Better Auth's own options session.storeSessionInDatabase and session.preserveSessionInDatabase, and have to be the same.
type Config struct {
	URL    string // one of redisconn.Forms
	Prefix string // before every key; Better Auth's own adapter has "better-auth:" unless told otherwise. Empty: none
	Conns  int    // connections to each server; 0: redisconn's default

	// People knows users and memberships, and is asked at each lookup: what somebody changes by SQL shows in no value of
	// Redis. Nil: there is no database. The user is then the one that Better Auth wrote beside the session, and nobody is
	// in any organization.
	People People

	StoreSessionInDatabase    bool // sessions are rows, too: one that is not in Redis is looked for with Fallback
	PreserveSessionInDatabase bool // those rows outlive their sessions, so they prove nothing: Fallback is not asked

	// Fallback finds sessions in the database. It is required by StoreSessionInDatabase without PreserveSessionInDatabase,
	// and unused otherwise.
	Fallback gate.Resolver
}

// People is the part of a database that knows who somebody is.
type People = store.People

// falls reports whether the database knows the sessions as well as Redis does.
func (c *Config) falls() bool { return c.StoreSessionInDatabase && !c.PreserveSessionInDatabase }

func (c *Config) check() error {
	unusable := func(text string) error { return &store.UnusableError{Err: errors.New(text)} }
	if strings.ContainsFunc(c.Prefix, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) {
		return unusable(fmt.Sprintf("the prefix %q holds a control character: write the keyPrefix of Better Auth's secondaryStorage", c.Prefix))
	}
	if c.falls() && c.Fallback == nil {
		return unusable("sessions that are stored in the database, too, need the database: configure it, " +
			"or say that Better Auth's storeSessionInDatabase is off")
	}
	if c.PreserveSessionInDatabase && !c.StoreSessionInDatabase {
		return unusable("preserveSessionInDatabase does nothing without storeSessionInDatabase: set both as in Better Auth's options")
	}
	return nil
}
