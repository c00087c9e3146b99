package accounts

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/usherauth/usher/betterauth/record"
)

// querier is a pool of connections or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// condition is a column and what it equals.
type condition struct {
	field string
	value any
}

// where writes conditions as the end of a statement whose next parameter is the nth.
func (sc *schema) where(alias, model string, conditions []condition, n int) (text string, args []any) {
	if alias != "" {
		alias += "."
	}
	for i, c := range conditions {
		text += []string{" where ", " and "}[min(i, 1)] + alias + sc.column(model, c.field) + " = " + sc.parameter(model, c.field, c.value, n+i)
		args = append(args, sc.value(model, c.field, c.value))
	}
	return text, args
}

// possible reports whether any row could meet the conditions.
func (sc *schema) possible(model string, conditions []condition) bool {
	for _, c := range conditions {
		if text, ok := c.value.(string); ok && !sc.holds(model, c.field, text) {
			return false
		}
	}
	return true
}

// columns are the expressions and destinations of those cells that the database has; the others keep what they hold.
func (sc *schema) columns(alias, model string, cells []cell) (expressions []string, into []any) {
	for _, x := range cells {
		if sc.names.Has(model, x.field) {
			expressions = append(expressions, sc.read(alias, model, x))
			into = append(into, x)
		}
	}
	return expressions, into
}

// find reads rows of one table, those that keep wants (nil: all), until there are as many as most. end follows the
// conditions in the statement.
func find[R any](ctx context.Context, sc *schema, db querier, model string, cells func(*R) []cell,
	conditions []condition, end string, most int, keep func(*R) bool,
) ([]R, error) {
	if !sc.possible(model, conditions) {
		return nil, nil
	}
	row := new(R)
	expressions, _ := sc.columns("t", model, cells(row))
	where, args := sc.where("t", model, conditions, 1)
	if keep == nil {
		end += limit(most)
	}
	rows, err := db.QueryContext(ctx, "select "+strings.Join(expressions, ", ")+" from "+sc.table(model)+" t"+where+end, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []R
	for len(all) < most && rows.Next() {
		row := new(R)
		_, into := sc.columns("t", model, cells(row))
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		if keep == nil || keep(row) {
			all = append(all, *row)
		}
	}
	return all, rows.Err()
}

// first is the first of those rows, or nil.
func first[R any](rows []R, err error) (*R, error) {
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// insert makes a row. An id that the database makes is read back, one that is empty is made here.
func (sc *schema) insert(ctx context.Context, db querier, model string, id *string, cells []cell, more ...condition) error {
	made := sc.made(model)
	if !made && *id == "" {
		*id = sc.newID()
	}
	var columns, values []string
	var args []any
	var err error
	add := func(field string, value any) {
		err = errors.Join(err, sc.takes(model, field, value))
		columns = append(columns, sc.column(model, field))
		values = append(values, sc.parameter(model, field, value, len(args)+1))
		args = append(args, sc.value(model, field, value))
	}
	for _, x := range cells {
		if sc.names.Has(model, x.field) && (x.field != "id" || !made) {
			add(x.field, x.content())
		}
	}
	for _, c := range more {
		if sc.names.Has(model, c.field) {
			add(c.field, c.value)
		}
	}
	if err != nil {
		return err
	}
	statement := "insert into " + sc.table(model) + " (" + strings.Join(columns, ", ") + ") values (" + strings.Join(values, ", ") + ")"
	if !made {
		_, err := db.ExecContext(ctx, statement, args...)
		return err
	}
	rows, err := db.QueryContext(ctx, statement+" returning cast("+sc.column(model, "id")+" as text)", args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(cell{"id", id}); err != nil {
			return err
		}
	}
	return rows.Err()
}

// update changes columns of the rows that meet the conditions, and says how many there were. What the database has not is
// left out.
func (sc *schema) update(ctx context.Context, db querier, model string, changes, conditions []condition) (int64, error) {
	if !sc.possible(model, conditions) {
		return 0, nil
	}
	var set []string
	var args []any
	for _, c := range changes {
		if sc.names.Has(model, c.field) {
			if err := sc.takes(model, c.field, c.value); err != nil {
				return 0, err
			}
			set = append(set, sc.column(model, c.field)+" = "+sc.parameter(model, c.field, c.value, len(args)+1))
			args = append(args, sc.value(model, c.field, c.value))
		}
	}
	if set == nil {
		return 0, nil
	}
	where, more := sc.where("", model, conditions, len(args)+1)
	done, err := db.ExecContext(ctx, "update "+sc.table(model)+" set "+strings.Join(set, ", ")+where, append(args, more...)...)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

// remove deletes the rows that meet the conditions.
func (sc *schema) remove(ctx context.Context, db querier, model string, conditions []condition) error {
	if !sc.possible(model, conditions) {
		return nil
	}
	where, args := sc.where("", model, conditions, 1)
	_, err := db.ExecContext(ctx, "delete from "+sc.table(model)+where, args...)
	return err
}

// newID makes an id as Better Auth does.
func (sc *schema) newID() string {
	if sc.uuids {
		return newUUID()
	}
	return record.ID()
}

// takes says why a text cannot be written: PostgreSQL refuses it, and SQLite would cut it.
func (sc *schema) takes(model, field string, value any) error {
	text, ok := sc.value(model, field, value).(string)
	if ok && !plain(text) {
		return errors.New(sc.describe(model, field) + " cannot hold a text with a zero byte, or one that is not UTF-8")
	}
	return nil
}

// plain reports whether a text column of either database can hold a text.
func plain(text string) bool { return strings.IndexByte(text, 0) < 0 && utf8.ValidString(text) }

func limit(n int) string { return " limit " + strconv.Itoa(n) }
