package accounts

import (
	"context"
	"fmt"
	"strings"

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

// probe tries every kind of statement on no row, and names the grants that are lacking.
func (s *Store) probe(ctx context.Context, sc *schema) error {
	var lacking []string
	var denied error
	for _, model := range append(s.config.written(), sc.onlyRead()...) {
		var lacks []string
		for _, verb := range grants(model) {
			db := querier(s.writer)
			err := s.patiently(ctx, func() error { _, err := db.ExecContext(ctx, sc.nothing(model, verb)); return err })
			switch {
			case err == nil:
			case postgres.Denied(err):
				lacks, denied = append(lacks, verb), err
			case postgres.Unwritable(err):
				return fmt.Errorf("%w; store.url leads to a replica or a read-only role, where nobody can be signed in", err)
			default:
				return fmt.Errorf("try to %s: %w", verb, s.remedy(err))
			}
		}
		if lacks != nil {
			lacking = append(lacking, "grant "+strings.Join(lacks, ", ")+" on "+sc.table(model)+" to the role of store.url")
		}
	}
	if denied != nil {
		return fmt.Errorf("%w; %s", denied, strings.Join(lacking, "; "))
	}
	return nil
}

// nothing is a statement that needs a grant and does nothing.
func (sc *schema) nothing(model, verb string) string {
	table, id := sc.table(model), sc.column(model, "id")
	switch verb {
	case "insert":
		var columns []string
		for _, x := range cellsOf(model) {
			if x.field != "id" && sc.names.Has(model, x.field) { // the database may insist on making ids
				columns = append(columns, sc.column(model, x.field))
			}
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
