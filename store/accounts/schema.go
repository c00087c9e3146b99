package accounts

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/sqlite"
)

// schema is what one look at a database found, and how statements for it are written. It does not change.
type schema struct {
	dialect betterauth.Dialect
	names   *betterauth.Names
	catalog betterauth.Catalog
	schemas map[string]string // PostgreSQL: where each table is

	forms map[string]any // SQLite: a value of each time column that has one, by "model.field"; what is written looks like it
	uuids bool           // ids of text columns are UUIDs, as with Better Auth's generateId "uuid" on SQLite
}

// written are the tables in which rows are made.
func (c *Config) written() []string {
	models := []string{"user", "account"}
	if c.sessionRows() {
		models = append(models, "session")
	}
	if c.verificationRows() {
		models = append(models, "verification")
	}
	return models
}

// guard says why rows cannot be made as Better Auth makes them, all of it.
func (sc *schema) guard(c *Config) error {
	var all []error
	for _, absent := range c.Tables.Unwritten(sc.names, sc.catalog, c.written()...) {
		found := store.MissingError(absent)
		all = append(all, &found)
	}
	for _, a := range sc.names.Unfillable(sc.catalog, c.written()...) {
		if a.Table == sc.names.Table("account") && strings.EqualFold(a.Column, "issuer") {
			all = append(all, unusable("column %q of table %q is one of Better Auth 1.7.0 and 1.7.1, which 1.7.25 no longer fills: "+
				"migrate to 1.7.25, and drop the column or its NOT NULL", a.Column, a.Table))
			continue
		}
		all = append(all, unusable("column %q of table %q must not be null, has no default and is not Better Auth's, so nobody who does not know it can make rows: "+
			"give it a default, or let it be null", a.Column, a.Table))
	}
	if sc.dialect == betterauth.Postgres {
		all = append(all, sc.kinds(c)...)
	}
	return errors.Join(all...)
}

// kinds refuses columns of types that Better Auth does not use for what is in them. SQLite's hold anything.
func (sc *schema) kinds(c *Config) []error {
	var all []error
	check := func(model string, cells []cell) {
		for _, x := range cells {
			if !sc.names.Has(model, x.field) {
				continue
			}
			kind, ok := sc.kind(model, x.field), true
			switch x.to.(type) {
			case *time.Time, **time.Time:
				ok = kind == "timestamptz" || kind == "timestamp"
			case *bool, **bool:
				ok = kind == "bool"
			}
			if !ok {
				all = append(all, unusable("column %q of table %q is of type %s, which Better Auth does not use for it",
					sc.names.Column(model, x.field), sc.names.Table(model), kind))
			}
		}
	}
	for _, model := range c.written() {
		check(model, cellsOf(model))
	}
	if sc.names.Organizations {
		check("organization", cellsOf("organization"))
		check("member", cellsOf("member"))
	}
	return all
}

// shape says which plugins' keys Better Auth's answers have.
func (sc *schema) shape() record.Shape {
	n := sc.names
	return record.Shape{
		Organizations: n.Organizations,
		Teams:         n.Teams,
		Admin:         n.Has("user", "role") && n.Has("user", "banned"),
	}
}

func (sc *schema) table(model string) string {
	name := sc.names.Table(model)
	if in := sc.schemas[name]; in != "" {
		return quote(in) + "." + quote(name) // so that a pooler's search path cannot change it
	}
	return quote(name)
}

func (sc *schema) column(model, field string) string { return quote(sc.names.Column(model, field)) }

func (sc *schema) kind(model, field string) string {
	return sc.catalog.Tables[sc.names.Table(model)].Columns[sc.names.Column(model, field)].Type
}

// integer reports whether a column holds whole numbers: ids with generateId "serial".
func (sc *schema) integer(model, field string) bool {
	switch kind := strings.ToLower(sc.kind(model, field)); kind {
	case "int2", "int4", "int8":
		return true
	default:
		return sc.dialect == betterauth.SQLite && strings.Contains(kind, "int")
	}
}

// made reports whether the database makes the ids of a table.
func (sc *schema) made(model string) bool {
	column := sc.catalog.Tables[sc.names.Table(model)].Columns[sc.names.Column(model, "id")]
	return column.Default || sc.integer(model, "id")
}

// holds reports whether a column can hold a text as it is written. What it cannot hold is in no row; asked for, it would be
// an error of the server, as if something were broken.
func (sc *schema) holds(model, field, text string) bool {
	const longest = 1 << 16 // of what is looked for; nothing Better Auth looks for is as long
	if len(text) > longest || !plain(text) {
		return false
	}
	switch {
	case sc.integer(model, field):
		n, err := strconv.ParseInt(text, 10, map[string]int{"int2": 16, "int4": 32}[sc.kind(model, field)])
		return err == nil && strconv.FormatInt(n, 10) == text
	case sc.kind(model, field) == "uuid":
		return postgres.CanonicalUUID(text)
	}
	return true
}

// read is the expression that gives a column to a reader. Ids become text. The + hides a column's declared type from
// SQLite's driver, which would guess at times itself.
func (sc *schema) read(alias, model string, x cell) string {
	column := sc.column(model, x.field)
	if alias != "" {
		column = alias + "." + column
	}
	switch x.to.(type) {
	case *time.Time, **time.Time:
		if sc.kind(model, x.field) == "timestamp" && sc.dialect == betterauth.Postgres {
			return "(" + column + " at time zone '" + sc.names.TimeZone + "')" // Tables.Validate admits no quote in it
		}
	case *bool, **bool:
	default:
		return "cast(" + column + " as text)"
	}
	if sc.dialect == betterauth.SQLite {
		return "+" + column
	}
	return column
}

// parameter is the nth parameter as a column takes it.
func (sc *schema) parameter(model, field string, value any, n int) string {
	parameter := "$" + strconv.Itoa(n)
	switch value.(type) {
	case time.Time, *time.Time:
		if sc.dialect == betterauth.Postgres {
			parameter += "::timestamptz"
			if sc.kind(model, field) == "timestamp" {
				return "(" + parameter + " at time zone '" + sc.names.TimeZone + "')"
			}
		}
	}
	return parameter
}

// value is what a driver is given for a column. Times are cut to milliseconds, which is all that JavaScript has.
func (sc *schema) value(model, field string, value any) any {
	switch v := value.(type) {
	case *string:
		if v == nil {
			return nil
		}
		return *v
	case *bool:
		if v == nil {
			return nil
		}
		return sc.value(model, field, *v)
	case *time.Time:
		if v == nil {
			return nil
		}
		return sc.value(model, field, *v)
	case bool:
		if sc.dialect == betterauth.SQLite {
			if v {
				return int64(1)
			}
			return int64(0)
		}
	case time.Time:
		at := v.UTC().Truncate(time.Millisecond)
		if sc.dialect == betterauth.SQLite {
			return sqlite.Alike(sc.form(model, field), at)
		}
		return at
	}
	return value
}

// form is a value that looks like what a time column of SQLite holds: ISO text as of Better Auth's own adapter, unless the
// column is declared as a number (drizzle: milliseconds) or holds something else already.
func (sc *schema) form(model, field string) any {
	if like, ok := sc.forms[model+"."+field]; ok {
		return like
	}
	if sc.integer(model, field) {
		return int64(1e12)
	}
	return "2006-01-02T15:04:05.000Z"
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// describe names a column in an error.
func (sc *schema) describe(model, field string) string {
	return fmt.Sprintf("column %s of table %s", sc.column(model, field), sc.table(model))
}
