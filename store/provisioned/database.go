package provisioned

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/sqlite"
)

// database is a PostgreSQL or SQLite database: what differs between them in a statement, and how one is run.
type database struct {
	dialect     betterauth.Dialect
	read, write *sql.DB // the same in PostgreSQL
}

// mostConnections to one database: who is seen first is rare.
const mostConnections = 4

func openDatabase(ctx context.Context, url string, tables betterauth.Tables) (*database, error) {
	dialect, err := dialectOf(url)
	if err != nil {
		return nil, err
	}
	if dialect == betterauth.SQLite {
		pools, err := sqlite.OpenPools(ctx, sqlite.Config{URL: url, Tables: tables, MaxConns: mostConnections})
		if err != nil {
			return nil, err
		}
		return &database{dialect, pools.Read, pools.Write}, nil
	}
	db, err := postgres.OpenWriter(ctx, postgres.Config{URL: url, Tables: tables, MaxConns: mostConnections})
	if err != nil {
		return nil, err
	}
	return &database{dialect, db, db}, nil
}

func (d *database) close() {
	_ = d.read.Close()
	if d.write != d.read {
		_ = d.write.Close()
	}
}

// parameter is the nth of a statement, from 1.
func (d *database) parameter(n int) string {
	if d.dialect == betterauth.SQLite {
		return "?" + strconv.Itoa(n)
	}
	return "$" + strconv.Itoa(n)
}

// text is an expression as text, null where it is.
func (d *database) text(expression string) string {
	if d.dialect == betterauth.SQLite {
		return "cast(" + expression + " as text)"
	}
	return expression + "::text"
}

// texts is an expression for several columns as one JSON array of texts, which rowOf reads.
func (d *database) texts(columns []string) string {
	if len(columns) == 0 {
		return "'[]'"
	}
	cast := make([]string, len(columns))
	for i, column := range columns {
		cast[i] = d.text(column)
	}
	if d.dialect == betterauth.SQLite {
		return "json_array(" + strings.Join(cast, ", ") + ")"
	}
	return "json_build_array(" + strings.Join(cast, ", ") + ")::text"
}

// among is a condition that a column holds one of those of the nth parameter, which list makes.
func (d *database) among(column string, n int) string {
	if d.dialect == betterauth.SQLite {
		return column + " in (select value from json_each(" + d.parameter(n) + "))"
	}
	return column + " = any(" + d.parameter(n) + ")"
}

// list is a parameter for among. PostgreSQL takes an array's literal for any type that its elements can be read as.
func (d *database) list(texts []string) string {
	if d.dialect == betterauth.SQLite {
		if texts == nil {
			return "[]"
		}
		b, _ := json.Marshal(texts) // of valid UTF-8, as all that came from a database
		return string(b)
	}
	var b strings.Builder
	b.WriteByte('{')
	for i, text := range texts {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		b.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text))
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

// differs is a condition that a column holds something else than an expression, null included.
func (d *database) differs(column, expression string) string {
	if d.dialect == betterauth.SQLite {
		return column + " is not " + expression
	}
	return column + " is distinct from " + expression
}

// quoted is an identifier.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quotedTable is a table's name, with its schema where it is written.
func quotedTable(name string) string {
	if schema, table, ok := strings.Cut(name, "."); ok {
		return quoted(schema) + "." + quoted(table)
	}
	return quoted(name)
}

// one runs a statement that answers with at most one text. It waits for other writers of an SQLite file, and tries once
// more what failed only because of others at the same time, or because the table was changed since.
func (d *database) one(ctx context.Context, statement string, args ...any) (text string, found bool, err error) {
	for attempt := 0; ; attempt++ {
		err = d.write.QueryRowContext(ctx, statement, args...).Scan(&text)
		switch {
		case err == nil:
			return text, true, nil
		case isNone(err):
			return "", false, nil
		case d.dialect == betterauth.SQLite && sqlite.Busy(err):
			select {
			case <-ctx.Done():
				return "", false, ctx.Err()
			case <-time.After(5 * time.Millisecond):
			}
		case d.dialect == betterauth.Postgres && attempt == 0 && postgres.Again(err):
		default:
			return "", false, err
		}
	}
}

// each reads rows of texts, null as "" with a false beside it.
func (d *database) each(ctx context.Context, width int, row func(texts []sql.NullString), statement string, args ...any) error {
	texts := make([]sql.NullString, width)
	into := make([]any, width)
	for i := range texts {
		into[i] = &texts[i]
	}
	rows, err := d.read.QueryContext(ctx, statement, args...)
	if err != nil && d.dialect == betterauth.Postgres && postgres.Again(err) {
		rows, err = d.read.QueryContext(ctx, statement, args...) // the statement was prepared for a table that was changed
	}
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		row(texts)
	}
	return rows.Err()
}

// first reads one text.
func (d *database) first(ctx context.Context, into *string, statement string, args ...any) error {
	return d.read.QueryRowContext(ctx, statement, args...).Scan(into)
}
