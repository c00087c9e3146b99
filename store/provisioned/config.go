package provisioned

import (
	"fmt"
	"strings"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
)

// Config says which business tables there are, and what is written into their rows. A table is named as NAME or SCHEMA.NAME.
type Config struct {
	URL           string // of the business database: postgres://… or sqlite:…, as for store/postgres and store/sqlite
	Source        Source
	Users         Users
	Organizations Organizations // zero Table: none
	Members       Members       // zero Table: none; needs Organizations

	Observe func(Event)      // what was made, updated or failed; must not block. nil: nobody
	Now     func() time.Time // nil: time.Now
}

// Source is the session database, where those fields of Better Auth's rows are read that a gate.Principal has not, and who
// owns an organization. Zero: nowhere.
type Source struct {
	URL    string
	Tables betterauth.Tables // zero: Better Auth's own names
}

// Users are the business rows of users.
type Users struct {
	Table  string
	ID     string // the business key, which the table's default or identity makes; may be AuthID itself
	AuthID string // unique; holds Better Auth's id

	Columns map[string]string // column: field of Better Auth's row, one of its own or an additional column
	Values  map[string]string // column: constant, written when a row is made
	Update  bool              // Columns follow Better Auth's row
}

// Organizations are the business rows of organizations.
type Organizations struct {
	Table, ID, AuthID string
	Columns, Values   map[string]string
	Update            bool

	// Owner is the column that gets the business key of the oldest member whose role holds "owner" when the row is made. The
	// row of that user is made, too. Empty: none.
	Owner string
}

// Members are the business rows of memberships. Their key is that of User and Organization together, both business keys.
type Members struct {
	Table, User, Organization string
	Columns, Values           map[string]string
	Update                    bool
}

// Kind is what happened to rows.
type Kind string

// The kinds.
const (
	Made    Kind = "made"
	Updated Kind = "updated"
	Failed  Kind = "failed"
)

// Why is what kept a row from being made.
type Why string

// The reasons. There are no others, so they may be labels.
const (
	ForConstraint Why = "constraint" // unique, not null, check, foreign key
	ForValue      Why = "value"      // a column cannot hold it
	ForGrant      Why = "grant"      // or a policy
	ForOther      Why = "other"      // a trigger, a row that is gone, a key that nobody made
)

// Event is rows of one table to which something happened.
type Event struct {
	Table string // as it is configured
	Kind  Kind
	Rows  int
	Why   Why   // of Failed
	Err   error // of Failed, where nobody else is told; nil where Provision returns it
}

func dialectOf(url, key string) (betterauth.Dialect, error) {
	switch scheme, _, _ := strings.Cut(url, ":"); scheme {
	case "postgres", "postgresql":
		return betterauth.Postgres, nil
	case "sqlite", "file":
		return betterauth.SQLite, nil
	}
	return 0, unusable("%s: write postgres://user:password@host:5432/database or sqlite:///absolute/path.db", key)
}

func unusable(format string, args ...any) error {
	return &store.UnusableError{Err: fmt.Errorf(format, args...)}
}
