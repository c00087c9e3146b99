package provisioned

import (
	"context"
	"slices"
	"time"

	"github.com/usherauth/usher/gate"
)

// Provisioner fills the business keys into a principal that nobody else holds yet. Rows is one.
type Provisioner interface {
	Provision(ctx context.Context, p *gate.Principal) error
}

// Resolver is a gate.Resolver whose principals have their business keys. It passes the answers of another on, but for whoever
// would be refused anyway: for those no row is made.
type Resolver struct {
	next gate.Resolver
	rows Provisioner
	now  func() time.Time
}

// New puts rows behind next.
func New(next gate.Resolver, rows Provisioner) *Resolver { return &Resolver{next, rows, time.Now} }

// Resolve implements gate.Resolver. A row that cannot be made is an error.
func (r *Resolver) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	p, err := r.next.Resolve(ctx, c)
	if err != nil || p == nil || !r.admits(p, c) {
		return p, err
	}
	own := *p // the other may be shared
	own.Memberships = slices.Clone(p.Memberships)
	own.Plain = false // whoever said so has not seen the keys
	if err := r.rows.Provision(ctx, &own); err != nil {
		return nil, err
	}
	return &own, nil
}

// admits reports whether a gate could let this principal pass.
func (r *Resolver) admits(p *gate.Principal, c gate.Credential) bool {
	now, u := r.now(), &p.User
	switch {
	case u.ID == "", u.Banned && (u.BanExpires.IsZero() || u.BanExpires.After(now)):
		return false
	case c.Method() == gate.ByInternal:
		return true
	}
	return p.Session.ExpiresAt.After(now)
}
