package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
)

const selectColumns = `
select m.name, p.name, p.type, p."notnull", p.dflt_value is not null or (p.pk > 0 and upper(p.type) = 'INTEGER')
from sqlite_schema m join pragma_table_xinfo(m.name) p
where m.type in ('table', 'view') and p.hidden <> 1 and lower(m.name) in (select value from json_each(?1))`

const selectIndexes = `
select m.name, l."unique", (select json_group_array(i.name) from pragma_index_info(l.name) i)
from sqlite_schema m join pragma_index_list(m.name) l
where m.type = 'table' and not l.partial and lower(m.name) in (select value from json_each(?1))`

// querier is a database, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// readCatalog looks at the tables that may be Better Auth's, and at their indexes.
func readCatalog(ctx context.Context, db querier, tables betterauth.Tables) (betterauth.Catalog, error) {
	c := betterauth.Catalog{Tables: make(map[string]betterauth.CatalogTable), Fold: true}
	candidates, err := json.Marshal(tables.Candidates())
	if err != nil {
		return c, err
	}
	names := strings.ToLower(string(candidates)) // as SQLite: ASCII only matters
	var table, column string
	var facts betterauth.CatalogColumn
	err = each(ctx, db, selectColumns, names, func() {
		if _, known := c.Tables[table]; !known {
			c.Tables[table] = betterauth.CatalogTable{Columns: make(map[string]betterauth.CatalogColumn)}
		}
		c.Tables[table].Columns[column] = facts
	}, &table, &column, &facts.Type, &facts.NotNull, &facts.Default)
	if err != nil {
		return c, fmt.Errorf("look at the schema: %w", err)
	}
	var unique bool
	var columns string
	err = each(ctx, db, selectIndexes, names, func() {
		index := betterauth.CatalogIndex{Unique: unique}
		if json.Unmarshal([]byte(columns), &index.Columns) != nil {
			return // not on columns
		}
		t := c.Tables[table]
		t.Indexes = append(t.Indexes, index)
		c.Tables[table] = t
	}, &table, &unique, &columns)
	if err != nil {
		return c, fmt.Errorf("look at the indexes: %w", err)
	}
	return c, nil
}

func each(ctx context.Context, db querier, query, argument string, do func(), into ...any) error {
	rows, err := db.QueryContext(ctx, query, argument)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		do()
	}
	return rows.Err()
}

// absent is what lookups need and is not there.
func (c Config) absent(n *betterauth.Names) []betterauth.Absent {
	all := n.Absent()
	if c.WithoutSessions {
		all = slices.DeleteFunc(slices.Clone(all), func(a betterauth.Absent) bool { return a.Table == n.Table("session") })
	}
	return all
}

// missing is the same as one error.
func (c Config) missing(n *betterauth.Names) error {
	var all []error
	for _, absent := range c.absent(n) {
		found := store.MissingError(absent)
		all = append(all, &found)
	}
	return errors.Join(all...)
}
