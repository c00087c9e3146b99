package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store/postgres"
)

// grants are what a role needs on a table.
func grants(model string) []string {
	switch model {
	case "user":
		return []string{"select", "insert", "update"}
	case "account", "session", "verification":
		return []string{"select", "insert", "update", "delete"}
	default:
		return []string{"select"}
	}
}

// onlyRead are the tables that are only read, as far as they are there.
func (sc *schema) onlyRead() []string {
	var models []string
	if sc.names.Organizations {
		models = append(models, "organization", "member")
		for _, model := range []string{"invitation", "team"} {
			if sc.names.Has(model, "") {
				models = append(models, model)
			}
		}
	}
	return models
}

// probe says what keeps rows from being made: on PostgreSQL by what the catalog says of grants, because each statement
// that is refused is a line in the server's log; on SQLite, which has no grants, by trying.
func (s *Store) probe(ctx context.Context, sc *schema) error {
	if sc.dialect == betterauth.Postgres {
		return s.granted(ctx, sc)
	}
	for _, model := range append(s.config.written(), sc.onlyRead()...) {
		for _, verb := range grants(model) {
			if err := s.patiently(ctx, func() error { _, err := s.writer.ExecContext(ctx, sc.nothing(model, verb)); return err }); err != nil {
				return fmt.Errorf("try to %s: %w", verb, s.remedy(err))
			}
		}
	}
	return nil
}

// granted names all the grants that the role lacks.
func (s *Store) granted(ctx context.Context, sc *schema) error {
	rights, err := postgres.ReadRights(ctx, s.reader, s.config.Tables)
	if err != nil {
		return fmt.Errorf("look at the grants: %w", s.remedy(err))
	}
	if rights.ReadOnly {
		return errors.New("nothing can be written; store.url leads to a replica or a read-only role, where nobody can be signed in")
	}
	var lacking []string
	lacks := func(what, on string) { lacking = append(lacking, "grant "+what+" on "+on+" to the role of store.url") }
	closed := make(map[string]bool)
	for _, model := range append(s.config.written(), sc.onlyRead()...) {
		name := sc.names.Table(model)
		in := sc.schemas[name]
		if rights.Closed(in) && !closed[in] {
			closed[in] = true
			lacks("usage", "schema "+quote(in))
		}
		var verbs []string
		for _, verb := range grants(model) {
			if rights.Fixed(in, name, verb) {
				return unusable("%s is a view that does not take every %s: make it updatable, or lead Usher to the table", sc.table(model), verb)
			}
			if !rights.Granted(in, name, verb, sc.touched(model, verb)...) {
				verbs = append(verbs, verb)
			}
		}
		if verbs != nil {
			lacks(strings.Join(verbs, ", "), sc.table(model))
		}
	}
	if lacking != nil {
		return fmt.Errorf("the role %s lacks grants; %s", quote(rights.Role), strings.Join(lacking, "; "))
	}
	return nil
}

// touched are the columns that something done to a table needs: what is read or made has all that are there; the database
// may insist on making ids.
func (sc *schema) touched(model, verb string) []string {
	switch verb {
	case "update":
		return []string{sc.names.Column(model, "updatedAt")}
	case "delete":
		return []string{sc.names.Column(model, "id")}
	}
	var columns []string
	for _, x := range cellsOf(model) {
		if sc.names.Has(model, x.field) && (verb == "select" || x.field != "id") {
			columns = append(columns, sc.names.Column(model, x.field))
		}
	}
	return columns
}

// nothing is a statement that needs a grant and does nothing.
func (sc *schema) nothing(model, verb string) string {
	table, id := sc.table(model), sc.column(model, "id")
	switch verb {
	case "insert":
		var columns []string
		for _, name := range sc.touched(model, verb) {
			columns = append(columns, quote(name))
		}
		list := strings.Join(columns, ", ")
		return "insert into " + table + " (" + list + ") select " + list + " from " + table + " where 1 = 0"
	case "update":
		updated := sc.column(model, "updatedAt")
		return "update " + table + " set " + updated + " = " + updated + " where 1 = 0"
	case "delete":
		return "delete from " + table + " where 1 = 0"
	}
	return "select " + id + " from " + table + " where 1 = 0"
}
