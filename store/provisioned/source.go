package provisioned

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/sqlite"
)

// source reads Better Auth's own rows. It does not change: another look makes another.
type source struct {
	db      *database
	tables  betterauth.Tables
	names   *betterauth.Names
	catalog betterauth.Catalog
	schemas map[string]string
}

func lookAtSource(ctx context.Context, db *database, tables betterauth.Tables) (*source, error) {
	s := &source{db: db, tables: tables}
	err := db.patiently(ctx, func() (err error) {
		if db.dialect == betterauth.Postgres {
			s.catalog, s.schemas, err = postgres.ReadCatalog(ctx, db.read, tables)
		} else {
			s.catalog, err = sqlite.ReadCatalog(ctx, db.read, tables)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("session database: %w", db.remedy(err))
	}
	if s.names, err = tables.Match(s.catalog); err != nil {
		return nil, &store.UnusableError{Err: err}
	}
	return s, nil
}

// model is what Better Auth calls the rows behind a section.
func model(section string) string { return strings.TrimSuffix(section, "s") }

// judge finds what the mappings want of the session database and is not there.
func (s *source) judge(all []*mapping) []problem {
	var problems []problem
	lack := func(m, column, key string) {
		problems = append(problems, problem{store.Finding{Table: s.names.Table(m), Column: column, Note: isAbsent + " in the session database; " + key + " needs it"}, true})
	}
	for _, t := range all {
		m := model(t.section)
		for _, x := range t.columns {
			if !slices.Contains(t.beyond(), x.of) {
				continue
			}
			if key := t.key("columns." + x.column); !s.names.Has(m, "") {
				lack(m, "", key)
			} else if _, found := s.column(t.section, x.of); !found {
				lack(m, x.of, key)
			}
		}
		if t.owner == "" {
			continue
		}
		for _, m := range []string{"member", "user"} {
			if !s.names.Has(m, "") {
				lack(m, "", t.key("owner"))
			}
		}
	}
	return problems
}

// column is a field's column: one of Better Auth's, or an additional one by the name that it has in the database.
func (s *source) column(section, field string) (string, bool) {
	m := model(section)
	for _, f := range own(section) {
		if strings.TrimPrefix(f, "+") == field {
			return s.names.Column(m, field), s.names.Has(m, field)
		}
	}
	columns := s.catalog.Tables[s.names.Table(m)].Columns
	if _, found := columns[field]; found || !s.catalog.Fold {
		return field, found
	}
	for name := range columns {
		if strings.EqualFold(name, field) {
			return name, true
		}
	}
	return field, false
}

func (s *source) table(m string) string {
	name := s.names.Table(m)
	if in := s.schemas[name]; in != "" {
		return quote(in) + "." + quote(name)
	}
	return quote(name)
}

func (s *source) kind(m, column string) string {
	return strings.ToLower(s.catalog.Tables[s.names.Table(m)].Columns[column].Type)
}

// read is the expression of a field that gives PostgreSQL's values as texts that either database takes, and SQLite's as they
// are: the + hides the declared type from its driver.
func (s *source) read(section, field string) string {
	name, _ := s.column(section, field)
	column := "t." + quote(name)
	if s.db.dialect == betterauth.SQLite {
		return "+" + column
	}
	at := func(utc string) string { return "to_char(" + utc + `, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')` }
	switch s.kind(model(section), name) {
	case "timestamptz":
		return at(column + " at time zone 'UTC'")
	case "timestamp":
		return at("(" + column + " at time zone '" + s.names.TimeZone + "') at time zone 'UTC'") // Tables.Validate admits no quote in it
	case "bool":
		return column + "::int::text"
	}
	return column + "::text"
}

// text is a value of SQLite's as PostgreSQL's are read.
func (s *source) text(section, field string, value any) (*string, error) {
	name, _ := s.column(section, field)
	kind := s.kind(model(section), name)
	var text string
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		text = v
	case []byte:
		text = string(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		text = strconv.FormatBool(v)
	case time.Time:
		text = v.UTC().Format(iso)
	default:
		return nil, fmt.Errorf("%s of Better Auth's %s is a %T", field, model(section), value)
	}
	if s.db.dialect != betterauth.SQLite {
		return &text, nil
	}
	switch {
	case slices.Contains([]string{"createdAt", "updatedAt", "banExpires"}, field) || strings.HasPrefix(kind, "date") || strings.HasPrefix(kind, "timestamp"):
		at, err := sqlite.Instant(value)
		if err != nil {
			return nil, fmt.Errorf("%s of Better Auth's %s holds %w", field, model(section), err)
		}
		if at.IsZero() {
			return nil, nil
		}
		text = at.Format(iso)
	case slices.Contains([]string{"emailVerified", "banned", "twoFactorEnabled"}, field) || strings.HasPrefix(kind, "bool"):
		on, err := sqlite.Flag(value)
		if err != nil {
			return nil, fmt.Errorf("%s of Better Auth's %s holds %w", field, model(section), err)
		}
		text = flag(on)
	}
	return &text, nil
}

// iso is how JavaScript writes times.
const iso = "2006-01-02T15:04:05.000Z"

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// among is a condition on ids, by the column's index where its type is one of those that Better Auth makes.
func (s *source) among(m, field string, n int) string {
	name := s.names.Column(m, field)
	column := "t." + quote(name)
	if s.db.dialect == betterauth.SQLite {
		return fmt.Sprintf("%s in (select value from json_each($%d))", column, n)
	}
	switch kind := s.kind(m, name); kind {
	case "text", "varchar", "uuid", "int2", "int4", "int8":
		return fmt.Sprintf("%s = any($%d::text[]::%s[])", column, n, kind)
	}
	return fmt.Sprintf("%s::text = any($%d::text[])", column, n)
}

// rows reads fields of Better Auth's rows, by id.
func (s *source) rows(ctx context.Context, section, by string, fields, ids []string, and string, args ...any) (map[string]map[string]*string, error) {
	m := model(section)
	found := make(map[string]map[string]*string)
	query := "select cast(t." + quote(s.names.Column(m, by)) + " as text)"
	values := make([]any, len(fields))
	var id string
	into := []any{&id}
	for i, field := range fields {
		query += ", " + s.read(section, field)
		into = append(into, &values[i])
	}
	query += " from " + s.table(m) + " t where " + s.among(m, by, 1) + and
	err := s.db.use(ctx, func() error {
		return s.db.each(ctx, s.db.read, query, append([]any{s.db.list(ids)}, args...), func() error {
			row := make(map[string]*string, len(fields))
			for i, field := range fields {
				text, err := s.text(section, field, values[i])
				if err != nil {
					return err
				}
				row[field] = text
			}
			found[id] = row
			return nil
		}, into...)
	})
	if err != nil {
		return nil, fmt.Errorf("read Better Auth's %s: %w", m, s.db.remedy(err))
	}
	return found, nil
}

// memberships reads fields of one user's, by organization.
func (s *source) memberships(ctx context.Context, fields []string, userID string, organizations []string) (map[string]map[string]*string, error) {
	return s.rows(ctx, "members", "organizationId", fields, organizations, " and "+s.among("member", "userId", 2), s.db.list([]string{userID}))
}

// owners are the users whom organizations belong to, the oldest of several.
func (s *source) owners(ctx context.Context, organizations []string) (map[string]string, error) {
	column := func(alias, m, field string) string { return alias + "." + quote(s.names.Column(m, field)) }
	text := func(c string) string { return "cast(" + c + " as text)" }
	order := column("t", "member", "createdAt") + ", " + column("t", "member", "id")
	organization, user := column("t", "member", "organizationId"), column("t", "member", "userId")
	id := column("u", "user", "id")
	join := user + " = " + id
	if s.db.dialect == betterauth.Postgres && s.kind("member", s.names.Column("member", "userId")) != s.kind("user", s.names.Column("user", "id")) {
		join = text(user) + " = " + text(id)
	}
	query := "select o, u from (select " + text(organization) + " as o, " + text(id) + " as u, row_number() over (partition by " + organization + " order by " + order + ") as n" +
		" from " + s.table("member") + " t join " + s.table("user") + " u on " + join + " where " + s.among("member", "organizationId", 1) +
		" and ',' || replace(" + column("t", "member", "role") + ", ' ', '') || ',' like '%,owner,%') as ranked where n = 1"
	if s.db.dialect == betterauth.SQLite { // its like takes Owner for owner
		query = strings.Replace(query, "|| ',' like '%,owner,%'", "|| ',' glob '*,owner,*'", 1)
	}
	owners := make(map[string]string)
	var o, u sql.NullString
	err := s.db.use(ctx, func() error {
		return s.db.each(ctx, s.db.read, query, []any{s.db.list(organizations)}, func() error { owners[o.String] = u.String; return nil }, &o, &u)
	})
	if err != nil {
		return nil, fmt.Errorf("read who owns an organization: %w", s.db.remedy(err))
	}
	return owners, nil
}
