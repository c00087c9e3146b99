package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/usherauth/usher/betterauth"
)

// catalog is what the database holds of the tables that may be Better Auth's.
type catalog struct {
	betterauth.Catalog
	schemas map[string]string // where each table is
}

// pg_catalog and not information_schema: the latter hides what the role may not read, and then a missing grant would
// look like a missing table. What a server process that has just begun spends on this is planning, and a join is a third of
// it: so columns are a list of texts of each table, and names of schemas and types are not joined either.
const selectColumns = `
select c.relnamespace::pg_catalog.regnamespace::text, c.relname, pg_catalog.pg_table_is_visible(c.oid),
  array(select pg_catalog.concat_ws(' ', a.atttypid, a.attnotnull, a.atthasdef or a.attidentity <> '', a.attname)
        from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)
from pg_catalog.pg_class c
where c.relname = any($1::text[]::name[]) and c.relkind in ('r', 'p', 'v', 'm', 'f')`

// selectTypes names types; a domain by what it is made of.
const selectTypes = `
select t.oid, coalesce((select base.typname from pg_catalog.pg_type base where base.oid = t.typbasetype and t.typtype = 'd'), t.typname)
from pg_catalog.pg_type t where t.oid = any($1::oid[])`

const selectIndexes = `
select c.relname, i.indisunique,
       array(select a.attname::text from unnest(i.indkey::int2[]) with ordinality as key (number, place)
             join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = key.number
             where key.place <= i.indnkeyatts order by key.place)
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relname = any($1::text[]::name[]) and case when $2 = '' then pg_catalog.pg_table_is_visible(c.oid) else n.nspname = $2 end
  and i.indisvalid and i.indpred is null and i.indexprs is null`

// querier is a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// once asks what one connection is not asked often: in one round trip instead of two, and nothing stays prepared. A URL
// that says how queries are to be sent has its way.
type once struct{ *pgx.Conn }

func (o once) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if o.Config().DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		args = append([]any{pgx.QueryExecModeExec}, args...)
	}
	return o.Conn.Query(ctx, sql, args...)
}

func readCatalog(ctx context.Context, db querier, tables betterauth.Tables) (*catalog, error) {
	c := &catalog{
		Catalog: betterauth.Catalog{Tables: make(map[string]betterauth.CatalogTable), Elsewhere: make(map[string]string)},
		schemas: make(map[string]string),
	}
	rows, err := db.Query(ctx, selectColumns, tables.Candidates())
	if err != nil {
		return nil, fmt.Errorf("look at the schema: %w", err)
	}
	var schema, table string
	var visible *bool // null: the table has just been removed
	var texts []string
	var columns []typed
	_, err = pgx.ForEachRow(rows, []any{&schema, &table, &visible, &texts}, func() error {
		schema := unquoted(schema)
		if schema == "information_schema" || strings.HasPrefix(schema, "pg_") {
			return nil
		}
		here := schema == tables.Schema
		if tables.Schema == "" {
			here = visible != nil && *visible
		}
		if !here {
			c.Elsewhere[table] = schema // not on the search path, or not in the configured schema
			return nil
		}
		c.Tables[table] = betterauth.CatalogTable{Columns: make(map[string]betterauth.CatalogColumn, len(texts))}
		c.schemas[table] = schema
		for _, text := range texts {
			column, err := parseColumn(table, text)
			if err != nil {
				return err
			}
			columns = append(columns, column)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look at the schema: %w", err)
	}
	names, err := typeNames(ctx, db, columns)
	if err != nil {
		return nil, fmt.Errorf("look at the schema: %w", err)
	}
	for _, column := range columns {
		column.Type = names[column.oid]
		c.Tables[column.table].Columns[column.name] = column.CatalogColumn
	}
	return c, nil
}

// typed is a column before its type has a name.
type typed struct {
	table, name string
	oid         uint32
	betterauth.CatalogColumn
}

// parseColumn reads what selectColumns says of one: the number of its type, t or f for NOT NULL and for a default, and its
// name, which may hold anything.
func parseColumn(table, text string) (typed, error) {
	f := strings.SplitN(text, " ", 4)
	if len(f) != 4 {
		return typed{}, fmt.Errorf("a column of table %q that cannot be read: %q", table, text)
	}
	oid, err := strconv.ParseUint(f[0], 10, 32)
	if err != nil {
		return typed{}, fmt.Errorf("a column of table %q: %w", table, err)
	}
	return typed{table, f[3], uint32(oid), betterauth.CatalogColumn{NotNull: f[1] == "t", Default: f[2] == "t"}}, nil
}

// typeNames are the names of the columns' types. PostgreSQL's own have had the same numbers in every version; of others,
// such as citext or a domain, the database is asked.
func typeNames(ctx context.Context, db querier, columns []typed) (map[uint32]string, error) {
	names := map[uint32]string{
		pgtype.BoolOID: "bool", pgtype.TextOID: "text", pgtype.VarcharOID: "varchar", pgtype.BPCharOID: "bpchar", pgtype.UUIDOID: "uuid",
		pgtype.TimestampOID: "timestamp", pgtype.TimestamptzOID: "timestamptz", pgtype.DateOID: "date", pgtype.JSONOID: "json",
		pgtype.JSONBOID: "jsonb", pgtype.Int2OID: "int2", pgtype.Int4OID: "int4", pgtype.Int8OID: "int8",
	}
	var others []uint32
	for _, column := range columns {
		if _, known := names[column.oid]; !known {
			names[column.oid] = ""
			others = append(others, column.oid)
		}
	}
	if len(others) == 0 {
		return names, nil
	}
	rows, err := db.Query(ctx, selectTypes, others)
	if err != nil {
		return nil, err
	}
	var oid uint32
	var name string
	_, err = pgx.ForEachRow(rows, []any{&oid, &name}, func() error { names[oid] = name; return nil })
	return names, err
}

// unquoted is a name that PostgreSQL has quoted where it had to (quote_identifier).
func unquoted(identifier string) string {
	if inner, ok := strings.CutPrefix(identifier, `"`); ok {
		return strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `""`, `"`)
	}
	return identifier
}

// readIndexes completes a catalog for those who judge it.
func (c *catalog) readIndexes(ctx context.Context, db querier, tables betterauth.Tables) error {
	rows, err := db.Query(ctx, selectIndexes, tables.Candidates(), tables.Schema)
	if err != nil {
		return fmt.Errorf("look at the indexes: %w", err)
	}
	var name string
	var index betterauth.CatalogIndex
	_, err = pgx.ForEachRow(rows, []any{&name, &index.Unique, &index.Columns}, func() error {
		table := c.Tables[name]
		table.Indexes = append(table.Indexes, index)
		c.Tables[name] = table
		index.Columns = nil
		return nil
	})
	if err != nil {
		return fmt.Errorf("look at the indexes: %w", err)
	}
	return nil
}
