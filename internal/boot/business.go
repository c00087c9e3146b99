package boot

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/telemetry"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/provisioned"
)

// business is the tables of business rows, which are awaited like the store.
type business struct{ awaited[*provisioned.Rows] }

// newBusiness is nil where no rows are made.
func newBusiness(c *config.Config, log *slog.Logger, metrics *telemetry.Metrics) *business {
	if !provisions(c) {
		return nil
	}
	var made, updated atomic.Uint64
	metrics.Counter("usher_business_rows_made_total", "Business rows that were made.", func() float64 { return float64(made.Load()) })
	metrics.Counter("usher_business_rows_updated_total", "Business rows that were changed after their source.", func() float64 { return float64(updated.Load()) })
	failed := make(map[provisioned.Why]*atomic.Uint64)
	for _, why := range []provisioned.Why{provisioned.ForConstraint, provisioned.ForValue, provisioned.ForGrant, provisioned.ForOther} {
		n := new(atomic.Uint64)
		failed[why] = n
		metrics.CounterBy("usher_business_row_failures_total", "Business rows that the database refused, by what kept them.", "kind", string(why),
			func() float64 { return float64(n.Load()) })
	}
	complain := &complaints{log: log, every: complaintEvery, now: time.Now}
	pc := provisionedConfig(c)
	pc.Observe = func(e provisioned.Event) {
		switch e.Kind {
		case provisioned.Made:
			made.Add(uint64(e.Rows)) //nolint:gosec // a length
		case provisioned.Updated:
			updated.Add(uint64(e.Rows)) //nolint:gosec // a length
		case provisioned.Failed:
			if n := failed[e.Why]; n != nil {
				n.Add(uint64(e.Rows)) //nolint:gosec // a length
			}
			if e.Err != nil { // otherwise the request itself is refused, and its decision tells why
				complain.hear(e.Table, e.Err)
			}
		}
	}
	return &business{awaited[*provisioned.Rows]{
		what: "the business database", log: log, there: make(chan struct{}),
		open: func(ctx context.Context) (*provisioned.Rows, error) { return provisioned.Open(ctx, pc) },
	}}
}

// Provision implements provisioned.Provisioner.
func (b *business) Provision(ctx context.Context, p *gate.Principal) error {
	if rows, ok := b.now(); ok {
		return rows.Provision(ctx, p)
	}
	return b.notReached()
}

// Ping says whether the business database answers now.
func (b *business) Ping(ctx context.Context) error {
	if rows, ok := b.now(); ok {
		return rows.Ping(ctx)
	}
	return b.notReached()
}

// provisions reports whether business rows are made.
func provisions(c *config.Config) bool {
	return c.Enabled && c.Provision.Business().Users
}

// provisionedConfig is the mapping of the configuration.
func provisionedConfig(c *config.Config) provisioned.Config {
	u, o, m := &c.Provision.Users, &c.Provision.Organizations, &c.Provision.Members
	pc := provisioned.Config{
		URL:   c.BusinessDatabase().Reveal(),
		Users: provisioned.Users{Table: u.Table, ID: u.ID, AuthID: u.AuthID, Columns: u.Columns, Values: u.Values, Update: u.Update},
		Organizations: provisioned.Organizations{
			Table: o.Table, ID: o.ID, AuthID: o.AuthID, Columns: o.Columns, Values: o.Values, Update: o.Update, Owner: o.Owner,
		},
		Members: provisioned.Members{
			Table: m.Table, User: m.User, Organization: m.Organization, Columns: m.Columns, Values: m.Values, Update: m.Update,
		},
	}
	switch c.Store.Kind() {
	case "postgres", "sqlite":
		pc.Source = provisioned.Source{URL: c.Store.URL.Reveal(), Tables: tables(c)}
	}
	return pc
}

// CheckProvision says everything that is wrong with the mapping of business rows; nothing where none are made.
func CheckProvision(ctx context.Context, c *config.Config) ([]store.Finding, error) {
	if !provisions(c) {
		return nil, nil
	}
	return provisioned.Check(ctx, provisionedConfig(c))
}

// LookOnly is sessions with the business ids of rows that are there, for explanations: it makes none, and tells what is there
// and what a request would make.
func LookOnly(ctx context.Context, c *config.Config, sessions gate.Resolver, tell func(finding string)) (_ gate.Resolver, end func(), err error) {
	if !provisions(c) {
		return sessions, func() {}, nil
	}
	rows, err := provisioned.Open(ctx, provisionedConfig(c))
	if err != nil {
		return nil, nil, err
	}
	return provisioned.New(sessions, looking{rows, c.Provision, tell}), rows.Close, nil
}

// looking is a Provisioner that makes nothing, and says where it would.
type looking struct {
	*provisioned.Rows
	tables config.Provision
	tell   func(finding string)
}

// newRow stands for a key that is not made yet.
const newRow = "(a new row's)"

func (l looking) Provision(ctx context.Context, p *gate.Principal) error {
	if err := l.Look(ctx, p); err != nil {
		return err
	}
	l.found(&p.User.BusinessID, "user", p.User.ID, l.tables.Users.Table)
	if l.tables.Organizations.Table == "" {
		return nil
	}
	for i := range p.Memberships {
		m := &p.Memberships[i]
		l.found(&m.BusinessID, "organization", m.OrganizationID, l.tables.Organizations.Table)
	}
	return nil
}

func (l looking) found(key *string, what, id, table string) {
	if *key != "" {
		l.tell(what + " " + id + ": the row in " + table + " has the key " + *key)
		return
	}
	*key = newRow
	l.tell(what + " " + id + ": no row in " + table + " yet; a request makes one, this explanation does not")
}
