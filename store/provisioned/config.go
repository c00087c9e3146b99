package provisioned

import (
	"errors"
	"strings"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
)

// Config is the mapping, and the databases on its two sides.
type Config struct {
	URL           string // of the business database: postgres://… or sqlite://…
	Source        Source // where fields are read that a gate.Principal has not; zero: nowhere
	Users         Users
	Organizations Organizations    // zero Table: none are made
	Members       Members          // likewise; they need both of the others
	Observe       func(Event)      // hears of rows made, updated, and of failures; it must not block. Nil: nobody listens
	Now           func() time.Time // nil: time.Now
}

// Source is Better Auth's own database.
type Source struct {
	URL    string
	Tables betterauth.Tables
}

// Users is a table of users.
type Users struct {
	Table   string            // with its schema where it needs one, as in app.users; empty: none are made
	ID      string            // column of the key, which the table makes
	AuthID  string            // column of Better Auth's id, with a unique index
	Columns map[string]string // column: field of Better Auth's user
	Values  map[string]string // column: constant
	Update  bool              // Columns follow their source
}

// Organizations is a table of organizations.
type Organizations struct {
	Table   string
	ID      string
	AuthID  string
	Columns map[string]string
	Values  map[string]string
	Update  bool
	Owner   string // column of the key of the oldest member whose role is owner, who is made, too; empty: none
}

// Members is a table of memberships. Its key is both columns, with a unique index on them.
type Members struct {
	Table        string
	User         string // column of the user's key
	Organization string // column of the organization's key
	Columns      map[string]string
	Values       map[string]string
	Update       bool
}

// Event is something that happened to rows of a table.
type Event struct {
	Table string // as it is configured
	Kind  Kind
	Err   error // of a failure; it quotes no value
}

// Kind is what happened.
type Kind uint8

// The kinds.
const (
	Made Kind = iota + 1
	Updated
	Failed
)

func (k Kind) String() string {
	switch k {
	case Made:
		return "made"
	case Updated:
		return "updated"
	case Failed:
		return "failed"
	default:
		return "unknown"
	}
}

// dialectOf is what the database behind a URL speaks.
func dialectOf(url string) (betterauth.Dialect, error) {
	switch scheme, _, _ := strings.Cut(url, ":"); scheme {
	case "postgres", "postgresql":
		return betterauth.Postgres, nil
	case "sqlite", "file":
		return betterauth.SQLite, nil
	}
	return 0, &store.UnusableError{Err: errors.New("business rows are made in PostgreSQL or SQLite")}
}
