package accounts

import (
	"fmt"
	"strings"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
)

// Config says which database, how its tables are called, and what Better Auth keeps beside it.
type Config struct {
	URL      string            // postgres://… or sqlite:…, as for store/postgres and store/sqlite
	Tables   betterauth.Tables // zero: Better Auth's own names
	MaxConns int               // zero: 8 of PostgreSQL, 4 readers and a writer of SQLite

	// What a call may take. Zero: as long as its context. Identify bounds its own statements; those of what it is given have
	// the context that they are given.
	Timeout time.Duration

	Redis *Redis // nil: there is no secondary storage; sessions and verifications are rows

	Now func() time.Time // nil: time.Now
}

// Redis is Better Auth's secondary storage. The three booleans are its own options session.storeSessionInDatabase,
// session.preserveSessionInDatabase and verification.storeInDatabase, and have to be the same.
type Redis struct {
	URL    string // one of redisconn.Forms
	Prefix string // before every key; Better Auth's own adapter has "better-auth:". Empty: none
	Conns  int    // connections to each server; 0: redisconn's default

	StoreSessionInDatabase      bool // sessions are rows, too
	PreserveSessionInDatabase   bool // with it: those rows outlive their sessions, and prove nothing
	StoreVerificationInDatabase bool // verifications are rows, too

	SessionExpiresIn             time.Duration // session.expiresIn; 0: 7 days
	ImpersonationSessionDuration time.Duration // of the admin plugin; 0: none is longer than a day
}

// sessionRows reports whether sessions are rows.
func (c *Config) sessionRows() bool { return c.Redis == nil || c.Redis.StoreSessionInDatabase }

// verificationRows reports whether verifications are rows.
func (c *Config) verificationRows() bool {
	return c.Redis == nil || c.Redis.StoreVerificationInDatabase
}

// preserved reports whether the rows of sessions outlive them.
func (c *Config) preserved() bool { return c.Redis != nil && c.Redis.PreserveSessionInDatabase }

func (c *Config) dialect() (betterauth.Dialect, error) {
	switch scheme, _, _ := strings.Cut(c.URL, ":"); scheme {
	case "postgres", "postgresql":
		return betterauth.Postgres, nil
	case "sqlite", "file":
		return betterauth.SQLite, nil
	}
	return 0, unusable("write store.url as postgres://user:password@host:5432/database or sqlite:///absolute/path.db")
}

func (r *Redis) check() error {
	if strings.ContainsFunc(r.Prefix, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\uFFFD' }) {
		return unusable("the prefix holds a control character: write the keyPrefix of Better Auth's secondaryStorage")
	}
	if r.PreserveSessionInDatabase && !r.StoreSessionInDatabase {
		return unusable("preserveSessionInDatabase does nothing without storeSessionInDatabase: set both as in Better Auth's options")
	}
	return nil
}

func unusable(format string, args ...any) error {
	return &store.UnusableError{Err: fmt.Errorf(format, args...)}
}
