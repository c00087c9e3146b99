package provisioned

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/usherauth/usher/gate"
)

// Provisioner fills in the business ids of a principal that nobody else holds. An error means that there is no row.
type Provisioner interface {
	Provision(ctx context.Context, p *gate.Principal) error
}

// Resolver answers as the one behind it, with business ids. It is safe for concurrent use.
type Resolver struct {
	next gate.Resolver
	rows Provisioner
}

// New makes a Resolver in front of next.
func New(next gate.Resolver, rows Provisioner) *Resolver { return &Resolver{next, rows} }

// Resolve implements gate.Resolver. Who will be refused is made no row.
func (r *Resolver) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	found, err := r.next.Resolve(ctx, c)
	if err != nil || found == nil || !counts(found, c, time.Now()) {
		return found, err
	}
	p := *found
	p.Memberships = slices.Clone(found.Memberships)
	if err := r.rows.Provision(ctx, &p); err != nil {
		return nil, fmt.Errorf("provision: %w", err)
	}
	p.Plain = false // the ids may be anything
	return &p, nil
}

// counts reports whether the gate could let somebody pass.
func counts(p *gate.Principal, c gate.Credential, now time.Time) bool {
	banned := p.User.Banned && (p.User.BanExpires.IsZero() || p.User.BanExpires.After(now))
	return p.User.ID != "" && !banned && (c.Method() == gate.ByInternal || p.Session.ExpiresAt.After(now))
}
