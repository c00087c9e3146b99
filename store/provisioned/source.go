package provisioned

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/sqlite"
)

// source reads Better Auth's rows.
type source struct {
	*database
	lent    bool // the database is somebody else's to close
	catalog betterauth.Catalog
	names   *betterauth.Names
	schemas map[string]string
}

// openSource looks at Better Auth's tables. Business is used where it is the same database; it may be nil.
func openSource(ctx context.Context, c *Config, business *database) (_ *source, err error) {
	s := &source{database: business, lent: true}
	if business == nil || c.Source.URL != c.URL {
		s.lent = false
		if s.database, err = openDatabase(ctx, c.Source.URL, c.Source.Tables); err != nil {
			return nil, fmt.Errorf("the session database: %w", err)
		}
	}
	if s.dialect == betterauth.SQLite {
		s.catalog, err = sqlite.ReadCatalog(ctx, s.read, c.Source.Tables)
	} else {
		s.catalog, s.schemas, err = postgres.ReadCatalog(ctx, s.read, c.Source.Tables)
	}
	if err == nil {
		if s.names, err = c.Source.Tables.Match(s.catalog); err != nil {
			err = &store.UnusableError{Err: err}
		}
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("the session database: %w", err)
	}
	return s, nil
}

func (s *source) close() {
	if s != nil && !s.lent {
		s.database.close()
	}
}

// column finds the physical column of a field, also of one that the application has added.
func (s *source) column(model, name string) (column string, found bool) {
	column = name
	if s.names.Knows(model, name) {
		column = s.names.Column(model, name)
	}
	_, found = s.catalog.Tables[s.names.Table(model)].Columns[column]
	return column, found
}

// table is a model's table.
func (s *source) table(model string) string {
	name := s.names.Table(model)
	if schema := s.schemas[name]; schema != "" {
		return quoted(schema) + "." + quoted(name)
	}
	return quoted(name)
}

// complete adds to a row of a model those of the fields that it lacks, in one query. Where says which row it is.
func (s *source) complete(ctx context.Context, model string, fields []string, where map[string]string, into row) error {
	var lacking, columns []string
	for _, name := range fields {
		if _, known := into[name]; known || slices.Contains(lacking, name) {
			continue
		}
		column, found := s.column(model, name)
		if !found {
			return &refusal{s.names.Table(model), fmt.Sprintf("the session database has no column %q", column)}
		}
		lacking, columns = append(lacking, name), append(columns, s.text(quoted(column)))
	}
	if len(lacking) == 0 {
		return nil
	}
	var conditions []string
	var args []any
	for _, name := range slices.Sorted(maps.Keys(where)) {
		column, _ := s.column(model, name)
		args = append(args, where[name])
		conditions = append(conditions, quoted(column)+" = "+s.parameter(len(args)))
	}
	found := false
	err := s.each(ctx, len(lacking), func(texts []sql.NullString) {
		found = true
		for i, name := range lacking {
			into[name] = s.field(model, name, texts[i])
		}
	}, "select "+strings.Join(columns, ", ")+" from "+s.table(model)+" where "+strings.Join(conditions, " and "), args...)
	if err == nil && !found {
		err = errGone
	}
	if err != nil {
		return s.refused(s.names.Table(model), err)
	}
	return nil
}

// errGone is a row of Better Auth's that was there a moment ago.
var errGone = errors.New("the row is gone")

// field is what a column holds, in words that either kind of database reads.
func (s *source) field(model, name string, text sql.NullString) field {
	if !text.Valid {
		return field{null: true}
	}
	column, _ := s.column(model, name)
	kind := s.catalog.Tables[s.names.Table(model)].Columns[column].Type
	switch {
	case kind == "bool" || s.dialect == betterauth.SQLite && betterauth.IsFlag(model, name):
		if yes, err := sqlite.Flag(text.String); err == nil {
			return flagged(yes)
		}
	case s.dialect == betterauth.SQLite && betterauth.IsInstant(model, name):
		var stored any = text.String
		if n, err := strconv.ParseInt(text.String, 10, 64); err == nil {
			stored = n
		}
		if at, err := sqlite.Instant(stored); err == nil && !at.IsZero() {
			return field{text: at.UTC().Format(isoTime), instant: true}
		}
	case kind == "timestamptz":
		return field{text: text.String, instant: true}
	}
	return said(text.String)
}

// oldestOwner is the user who is owner of an organization for the longest time; false where there is none.
func (s *source) oldestOwner(ctx context.Context, organizationID string) (userID string, found bool, err error) {
	column := func(name string) string { c, _ := s.column("member", name); return quoted(c) }
	err = s.each(ctx, 1, func(texts []sql.NullString) {
		if !found {
			userID, found = texts[0].String, texts[0].Valid
		}
	}, "select "+s.text(column("userId"))+" from "+s.table("member")+" where "+column("organizationId")+" = "+s.parameter(1)+
		" and ',' || replace("+column("role")+", ' ', '') || ',' like '%,owner,%' order by "+column("createdAt")+", "+column("id")+" limit 1", organizationID)
	if err != nil {
		return "", false, s.refused(s.names.Table("member"), err)
	}
	return userID, found, nil
}
