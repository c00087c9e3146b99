package storetest

import (
	"embed"
	"strings"
	"testing"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
)

// Harness is one empty database.
type Harness struct {
	Dialect betterauth.Dialect

	// Exec runs SQL, several statements at once, as Better Auth or its owner would beside the store.
	Exec func(t testing.TB, sql string)

	// Open opens a store on the database. It is closed with the test.
	Open func(t testing.TB, tables betterauth.Tables) (gate.Resolver, error)
}

// Run tests a store. Each call of empty makes a database of its own.
func Run(t *testing.T, empty func(t *testing.T) Harness) {
	for name, test := range map[string]func(*testing.T, Harness){
		"principals":        principals,
		"bans":              bans,
		"memberships":       memberships,
		"many memberships":  manyMemberships,
		"deleted users":     deletedUsers,
		"odd tokens":        oddTokens,
		"named users":       named,
		"odd users":         func(t *testing.T, h Harness) { oddUsers(t, h, "all-plugins", "u1") },
		"odd users, serial": func(t *testing.T, h Harness) { oddUsers(t, h, "serial-ids", "7") },
		"odd users, uuid": func(t *testing.T, h Harness) {
			oddUsers(t, h, "uuid-ids", "0b1e9bd0-6b1c-4b5e-9d0c-5a7c6b1f3a2d")
		},
		"twice the same token": twins,
		"recorded rows":        recordedRows,
		"missing things":       missingThings,
		"migrations":           migrations,
		"concurrency":          concurrency,
		"cancellation":         cancellation,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, empty(t))
		})
	}
	for _, v := range variants() {
		t.Run("schema "+v.name, func(t *testing.T) {
			t.Parallel()
			v.test(t, empty(t))
		})
	}
	for _, f := range timeForms() {
		t.Run("times "+f.name, func(t *testing.T) {
			t.Parallel()
			h := empty(t)
			if h.Dialect != f.dialect {
				return // a form of the other database
			}
			f.test(t, h)
		})
	}
}

//go:embed testdata
var testdata embed.FS

// Schema returns a recorded schema of the harness' dialect, as "all-plugins".
func (h Harness) Schema(t testing.TB, variant string) string {
	t.Helper()
	dialect := map[betterauth.Dialect]string{betterauth.Postgres: "postgres", betterauth.SQLite: "sqlite"}[h.Dialect]
	text, err := testdata.ReadFile("testdata/schema-" + dialect + "-" + variant + ".sql")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// loose is a schema without foreign keys, as some frameworks make it.
func loose(schema string) string {
	for {
		before, after, found := strings.Cut(schema, " references ")
		if !found {
			return schema
		}
		_, rest, _ := strings.Cut(after, " on delete cascade")
		schema = before + rest
	}
}

// open opens a store that must work.
func (h Harness) open(t testing.TB, tables betterauth.Tables) gate.Resolver {
	t.Helper()
	s, err := h.Open(t, tables)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
