package provisioned

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/usherauth/usher/store"
)

// Rows finds and makes business rows. It is safe for concurrent use.
type Rows struct {
	db     *database
	source *source // nil: principals say all that is needed
	config Config

	users, organizations, members *table // the latter two may be nil
	lookup                        string // statement

	failed failures
}

// Open connects, and looks whether the mapping fits. It fails with store.UnusableError or store.MissingError where waiting
// does not mend it, and names everything that is wrong.
func Open(ctx context.Context, c Config) (*Rows, error) {
	r, findings, err := open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("provision: %w", err)
	}
	if len(findings) > 0 {
		r.Close()
		var all []error
		for _, f := range findings {
			all = append(all, errors.New(describe(f)))
		}
		return nil, fmt.Errorf("provision: %w", &store.UnusableError{Err: errors.Join(all...)})
	}
	return r, nil
}

// Check says everything that is wrong with the mapping. An error means that it could not be found out.
func Check(ctx context.Context, c Config) ([]store.Finding, error) {
	r, findings, err := open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("provision: %w", err)
	}
	r.Close()
	return findings, nil
}

func open(ctx context.Context, c Config) (_ *Rows, findings []store.Finding, err error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Observe == nil {
		c.Observe = func(Event) {}
	}
	r := &Rows{config: c}
	if r.db, err = openDatabase(ctx, c.URL, c.Source.Tables); err != nil {
		return nil, nil, fmt.Errorf("the business database: %w", err)
	}
	r.tables()
	if r.needsSource() {
		if c.Source.URL == "" {
			r.Close()
			return nil, nil, &store.UnusableError{Err: errors.New("the mapping names fields that only Better Auth's tables hold, and its storage has none")}
		}
		if r.source, err = openSource(ctx, &c, r.db); err != nil {
			r.Close()
			return nil, nil, err
		}
	}
	if findings, err = r.judge(ctx); err != nil {
		r.Close()
		return nil, nil, err
	}
	return r, findings, nil
}

// tables makes the statements.
func (r *Rows) tables() {
	c := &r.config
	if u := c.Users; u.Table != "" {
		r.users = newTable(r.db, table{name: u.Table, model: "user", id: u.ID, keys: []string{u.AuthID}, update: u.Update}, u.Columns, u.Values)
	}
	if o := c.Organizations; o.Table != "" {
		r.organizations = newTable(r.db, table{name: o.Table, model: "organization", id: o.ID, keys: []string{o.AuthID}, update: o.Update, owner: o.Owner}, o.Columns, o.Values)
	}
	if m := c.Members; m.Table != "" && r.users != nil && r.organizations != nil {
		r.members = newTable(r.db, table{name: m.Table, model: "member", keys: []string{m.User, m.Organization}, update: m.Update}, m.Columns, m.Values)
	}
	r.lookup = r.lookingUp()
}

// told are the fields that a gate.Principal has, by model.
var told = map[string][]string{
	"user": {"id", "name", "email", "emailVerified", "role"}, "organization": {"id", "name", "slug"}, "member": {"userId", "organizationId", "role"},
}

// needsSource reports whether a principal does not say all that a new row holds.
func (r *Rows) needsSource() bool {
	for _, t := range []*table{r.users, r.organizations, r.members} {
		if t != nil && (t.owner != "" || slices.ContainsFunc(t.fields, func(name string) bool { return !slices.Contains(told[t.model], name) })) {
			return true
		}
	}
	return false
}

// What a line of the lookup is about.
const (
	aboutUser         = "u"
	aboutOrganization = "o"
	aboutMember       = "m"
)

// lookingUp finds the rows of a user and of organizations in one round trip: what it is about, Better Auth's id (of the
// organization, for a membership), the key, and what has to follow its source.
func (r *Rows) lookingUp() string {
	d := r.db
	one := func(t *table, about, condition string) string {
		followed := []string(nil)
		if t.update {
			followed = t.follow
		}
		return "select '" + about + "', " + d.text("t."+quoted(t.keys[0])) + ", " + d.text("t."+quoted(t.id)) + ", " + d.texts(quotedAll("t", followed)) +
			" from " + quotedTable(t.name) + " t where " + condition
	}
	var parts []string
	next := 1
	if u := r.users; u != nil {
		parts = append(parts, one(u, aboutUser, "t."+quoted(u.keys[0])+" = "+d.parameter(next)))
		next++
	}
	if o := r.organizations; o != nil {
		parts = append(parts, one(o, aboutOrganization, d.among("t."+quoted(o.keys[0]), next)))
	}
	if m := r.members; m != nil {
		followed := []string(nil)
		if m.update {
			followed = m.follow
		}
		parts = append(parts, "select '"+aboutMember+"', "+d.text("o."+quoted(r.organizations.keys[0]))+", '', "+d.texts(quotedAll("m", followed))+
			" from "+quotedTable(m.name)+" m join "+quotedTable(r.users.name)+" t on t."+quoted(r.users.id)+" = m."+quoted(m.keys[0])+
			" join "+quotedTable(r.organizations.name)+" o on o."+quoted(r.organizations.id)+" = m."+quoted(m.keys[1])+
			" where t."+quoted(r.users.keys[0])+" = "+d.parameter(1)+" and "+d.among("o."+quoted(r.organizations.keys[0]), 2))
	}
	return strings.Join(parts, " union all ")
}

// found is what the lookup knows: rows by what they are about and Better Auth's id.
type found map[[2]string]entry

type entry struct{ id, texts string }

func (r *Rows) find(ctx context.Context, userID string, organizations []string) (found, error) {
	var args []any
	if r.users != nil {
		args = append(args, userID)
	}
	if r.organizations != nil {
		args = append(args, r.db.list(organizations))
	}
	rows := make(found)
	err := r.db.each(ctx, 4, func(t []sql.NullString) {
		rows[[2]string{t[0].String, t[1].String}] = entry{t[2].String, t[3].String}
	}, r.lookup, args...)
	if err != nil {
		return nil, r.db.refused(r.first().name, err)
	}
	return rows, nil
}

// first is a table that there is.
func (r *Rows) first() *table {
	if r.users != nil {
		return r.users
	}
	return r.organizations
}

// Ping reports whether rows can be found now.
func (r *Rows) Ping(ctx context.Context) error {
	_, err := r.find(ctx, "", nil)
	return err
}

// Close closes every connection.
func (r *Rows) Close() {
	r.source.close()
	r.db.close()
}
