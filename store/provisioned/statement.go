package provisioned

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// found are rows that there are: by Better Auth's id, of members by the business key of the organization.
type found struct{ users, organizations, members map[string]known }

// known is what was read of a row.
type known struct {
	id     string
	fields []*string // of columns, where they are followed
}

// find reads the rows of a user, of organizations, and of the user's memberships in them, in one statement. Nil is no user.
func (r *Rows) find(ctx context.Context, s *shape, user *string, organizations []string) (*found, error) {
	if s.organizations == nil || len(organizations) == 0 && user != nil {
		return r.rows(ctx, s, s.one, []any{nullable(user)})
	}
	return r.rows(ctx, s, s.all, []any{nullable(user), r.db.list(organizations)})
}

// findIn reads the rows of one table.
func (r *Rows) findIn(ctx context.Context, s *shape, l *layout, ids []string) (map[string]known, error) {
	all, err := r.rows(ctx, s, l.findAll(), []any{r.db.list(ids)})
	if err != nil {
		return nil, err
	}
	if l.section == "users" {
		return all.users, nil
	}
	return all.organizations, nil
}

func (r *Rows) rows(ctx context.Context, s *shape, query string, args []any) (*found, error) {
	all := &found{make(map[string]known), make(map[string]known), make(map[string]known)}
	var section string
	var id, key, followed sql.NullString
	err := r.db.use(ctx, func() error {
		return r.db.often(ctx, query, args, func() error {
			row := known{id: id.String}
			if followed.Valid {
				if err := json.Unmarshal([]byte(followed.String), &row.fields); err != nil {
					return fmt.Errorf("read the columns of %s: %w", section, err)
				}
			}
			if !id.Valid || id.String == "" {
				return refuse("find a row in %s: its key is null or empty", section)
			}
			switch section {
			case "users":
				all.users[s.users.same(key.String)] = row
			case "organizations":
				all.organizations[s.organizations.same(key.String)] = row
			case "members":
				all.members[key.String] = row
			}
			return nil
		}, &section, &id, &key, &followed)
	})
	if err != nil {
		return nil, s.explain("find rows", r.db, err)
	}
	return all, nil
}

// same is the form in which Better Auth's ids are compared. They are texts: only of a column that is a uuid is another case
// the same.
func (l *layout) same(id string) string {
	if l.folded {
		return strings.ToLower(id)
	}
	return id
}

// made is what came of rows that were to be made, in their order.
type made struct {
	ids  []string // empty: another was first, or err
	errs []error  // why the database refuses one
}

// insert makes rows, each at most once. Its error is one that says nothing about a row.
func (r *Rows) insert(ctx context.Context, l *layout, rows []*row) (made, error) {
	m := made{make([]string, len(rows)), make([]error, len(rows))}
	batches := make(map[string][]int) // those that leave the same columns out
	for i, row := range rows {
		cells := l.cells(row)
		if m.errs[i] = l.holds(cells); m.errs[i] == nil {
			shape := fmt.Sprint(l.left(l.written(), cells))
			batches[shape] = append(batches[shape], i)
		}
	}
	var parts [][]int
	for _, shape := range sorted(batches) {
		const most = 100 // so that nobody keeps SQLite's other writers waiting for long
		parts = slices.AppendSeq(parts, slices.Chunk(batches[shape], most))
	}
	for _, batch := range parts {
		err := r.insertThese(ctx, l, rows, batch, &m)
		if err = l.explain("make a row", r.db, err); err == nil {
			continue
		}
		if _, refused := refusal(err); !refused {
			return m, err
		}
		if len(batch) == 1 {
			m.errs[batch[0]] = r.name(ctx, l, rows[batch[0]], err)
			continue
		}
		for _, i := range batch { // each on its own, to find which is refused
			err := l.explain("make a row", r.db, r.insertThese(ctx, l, rows, []int{i}, &m))
			if _, refused := refusal(err); err != nil && !refused {
				return m, err
			}
			m.errs[i] = r.name(ctx, l, rows[i], err)
		}
	}
	n := 0
	for _, id := range m.ids {
		if id != "" {
			n++
		}
	}
	if n > 0 {
		r.observe(Event{Table: l.configured, Kind: Made, Rows: n})
	}
	return m, nil
}

// insertThese makes rows in one statement, or in one transaction of SQLite: all of them or none.
func (r *Rows) insertThese(ctx context.Context, l *layout, rows []*row, these []int, m *made) error {
	columns := l.written()
	without := l.left(columns, l.cells(rows[these[0]]))
	statement := l.insert(without)
	place := make(map[string]int)
	for _, i := range these {
		key := rows[i].key
		place[l.same(key[len(key)-1])] = i
	}
	ids := make(map[int]string)
	var id, key sql.NullString
	take := func() error {
		if !id.Valid || id.String == "" {
			return refuse("make a row in table %q: the database gave it no key", l.configured)
		}
		if i, ok := place[l.same(key.String)]; ok {
			ids[i] = id.String
		}
		return nil
	}
	err := r.db.use(ctx, func() error {
		return r.db.patiently(ctx, func() error {
			clear(ids)
			switch {
			case l.postgres():
				return once(ctx, r.db.write, statement, l.arrays(rows, these, without), take, &id, &key)
			case len(these) == 1:
				return once(ctx, r.db.write, statement, given(l.cells(rows[these[0]]), without), take, &id, &key)
			}
			tx, err := r.db.write.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer func() { _ = tx.Rollback() }()
			prepared, err := tx.PrepareContext(ctx, statement)
			if err != nil {
				return err
			}
			defer prepared.Close()
			for _, i := range these {
				returned, err := prepared.QueryContext(ctx, given(l.cells(rows[i]), without)...)
				if err == nil {
					err = scan(returned, take, &id, &key)
				}
				if err != nil {
					return err
				}
			}
			return tx.Commit()
		})
	})
	if err != nil {
		return err
	}
	for i, id := range ids {
		m.ids[i] = id
	}
	return nil
}

func given(cells []*string, without []bool) []any {
	var args []any
	for i, cell := range cells {
		if !without[i] {
			args = append(args, nullable(cell))
		}
	}
	return args
}

func nullable(text *string) any {
	if text == nil {
		return nil
	}
	return *text
}

// arrays are the values of rows by column.
func (l *layout) arrays(rows []*row, these []int, without []bool) []any {
	var args []any
	for column := range without {
		if without[column] {
			continue
		}
		array := make([]*string, len(these))
		for n, i := range these {
			array[n] = l.cells(rows[i])[column]
		}
		args = append(args, array)
	}
	return args
}

// holds says why values cannot be written: PostgreSQL refuses such a text, and others may cut it.
func (l *layout) holds(cells []*string) error {
	for i, name := range l.written() {
		if cells[i] != nil && !plain(*cells[i]) {
			return refuse("make a row in table %q: column %q: no text column holds a zero byte, or what is not UTF-8", l.configured, name)
		}
	}
	return nil
}

func plain(text string) bool { return strings.IndexByte(text, 0) < 0 && utf8.ValidString(text) }

// change brings one row up to date, where it differs.
func (r *Rows) change(ctx context.Context, l *layout, row *row) error {
	without := make([]bool, len(l.columns))
	args := make([]any, 0, len(row.key)+len(l.columns))
	for _, key := range row.key {
		args = append(args, key)
	}
	for i, c := range l.columns {
		value := row.fields[c.of]
		if without[i] = value == nil && l.kinds[c.column].notNull; !without[i] {
			args = append(args, nullable(value))
		}
	}
	if len(args) == len(row.key) {
		return nil
	}
	err := l.holds(l.cells(row))
	var rows int64
	if err == nil {
		err = r.db.use(ctx, func() error {
			return r.db.patiently(ctx, func() error {
				done, err := r.db.write.ExecContext(ctx, l.change(without), args...)
				if err == nil {
					rows, err = done.RowsAffected()
				}
				return err
			})
		})
	}
	if err != nil {
		return r.name(ctx, l, row, l.explain("update a row", r.db, err))
	}
	if rows > 0 {
		r.observe(Event{Table: l.configured, Kind: Updated, Rows: int(rows)})
	}
	return nil
}

func (r *Rows) observe(e Event) {
	if r.config.Observe != nil {
		r.config.Observe(e)
	}
}
