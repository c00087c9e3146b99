package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// errNone is gate.ErrNoSession before it leaves the package.
var errNone = gate.ErrNoSession

// Resolve implements gate.Resolver with one query. Somebody who is named is found without sessions, too. Sessions that have
// expired are answered like any other. It waits as
// long as ctx lets it for a server that does not answer.
func (s *Store) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	if c.Method() == gate.ByInternal {
		return store.Named(ctx, s, c)
	}
	if s.config.WithoutSessions || !store.Askable(c.Token()) {
		return nil, gate.ErrNoSession
	}
	p, err := s.resolve(ctx, question{sessionOf, c.Token()})
	switch {
	case err == nil, errors.Is(err, gate.ErrNoSession):
		return p, err
	case ctx.Err() != nil:
		return nil, fmt.Errorf("postgres: resolve session: %w (%w)", ctx.Err(), err)
	default:
		return nil, fmt.Errorf("postgres: resolve session: %w", explain(err))
	}
}

// question is what one lookup asks: who holds a token, or who has a user id.
type question struct {
	about subject
	key   string
}

type subject uint8

const (
	sessionOf subject = iota
	personOf
)

// query is the one that answers q.
func (all *queries) query(q question) string {
	if q.about == personOf {
		return all.person
	}
	return all.session
}

// alone asks one question until there is an answer or nothing more to try.
func (s *Store) alone(ctx context.Context, q question) (*gate.Principal, error) {
	changed := false
	for attempt := 0; ; attempt++ {
		made := s.queries.Load()
		p, lost, err := s.attempt(ctx, made, q)
		switch {
		case err == nil, errors.Is(err, gate.ErrNoSession), ctx.Err() != nil:
			return p, err
		case unaskable(err):
			return nil, errNone
		case lost && attempt <= s.maxConns:
			continue // the server went away since; each attempt drops one dead connection, the last one makes a new one
		case schemaChanged(err) && !changed:
			changed = true
			if err := s.lookAgain(ctx, made); err != nil {
				return nil, err
			}
			continue
		default:
			return nil, err
		}
	}
}

// attempt asks on one connection, and reports whether it was lost over it.
func (s *Store) attempt(ctx context.Context, made *queries, q question) (p *gate.Principal, lost bool, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, false, err
	}
	defer release(conn)
	p, err = ask(ctx, conn.Conn(), made, q)
	if stalePlan(err) {
		p, err = ask(ctx, conn.Conn(), made, q) // pgx has dropped the prepared statement and makes it anew
	}
	return p, err != nil && conn.Conn().IsClosed(), err
}

// row is what the query selects, in its order.
type row struct {
	key                   string // the token, or the user id that was asked for
	session, user         string
	createdAt, expiresAt  pgtype.Timestamptz
	organization, team    string
	impersonatedBy        string
	name, email           string
	emailVerified, banned bool
	roles                 string
	banExpires            pgtype.Timestamptz
	memberOf, slug        string
	title, memberRoles    string
	teams                 []string
}

func (r *row) targets() []any {
	return []any{
		&r.key, &r.session, &r.createdAt, &r.expiresAt, &r.organization, &r.team, &r.impersonatedBy,
		&r.user, &r.name, &r.email, &r.emailVerified, &r.roles, &r.banned, &r.banExpires,
		&r.memberOf, &r.slug, &r.title, &r.memberRoles, &r.teams,
	}
}

func ask(ctx context.Context, conn *pgx.Conn, made *queries, q question) (*gate.Principal, error) {
	rows, err := conn.Query(ctx, made.query(q), q.key)
	if err != nil {
		return nil, err
	}
	return read(rows, q.key)
}

// read makes a principal of all rows of one lookup.
func read(rows pgx.Rows, key string) (*gate.Principal, error) {
	defer rows.Close()
	var p *gate.Principal
	var r row
	targets := r.targets()
	for rows.Next() {
		r.teams = nil
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		if r.key != key { // the column's collation holds different texts for equal
			continue
		}
		var err error
		if p, err = r.addTo(p); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if p == nil {
		return nil, errNone
	}
	return p, nil
}

// addTo is the principal with what this row says besides; nil becomes one.
func (r *row) addTo(p *gate.Principal) (*gate.Principal, error) {
	if p == nil {
		p = r.principal()
	} else if p.Session.ID != r.session {
		return nil, errors.New("two sessions have the same token: the token column needs a unique index")
	}
	if r.memberOf != "" && len(p.Memberships) < store.MaxMemberships {
		p.Memberships = append(p.Memberships, gate.Membership{
			OrganizationID: r.memberOf, Slug: r.slug, Name: r.title, Roles: gate.ParseRoles(r.memberRoles), Teams: r.teams,
		})
	}
	return p, nil
}

func (r *row) principal() *gate.Principal {
	return &gate.Principal{
		Session: gate.Session{
			ID: r.session, CreatedAt: instant(r.createdAt), ExpiresAt: instant(r.expiresAt),
			ActiveOrganization: r.organization, ActiveTeam: r.team, ImpersonatedBy: r.impersonatedBy,
		},
		User: gate.User{
			ID: r.user, Name: r.name, Email: r.email, EmailVerified: r.emailVerified, Roles: gate.ParseRoles(r.roles),
			Banned: r.banned, BanExpires: instant(r.banExpires),
		},
	}
}

// instant is the zero time for null. The infinities of PostgreSQL become times that compare as they do.
func instant(t pgtype.Timestamptz) time.Time {
	switch {
	case !t.Valid:
		return time.Time{}
	case t.InfinityModifier == pgtype.Infinity:
		return time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)
	case t.InfinityModifier == pgtype.NegativeInfinity:
		return time.Unix(0, 0).UTC()
	default:
		return t.Time.UTC()
	}
}

// state is the SQLSTATE of an error that the server sent.
func state(err error) string {
	var sent *pgconn.PgError
	if errors.As(err, &sent) {
		return sent.Code
	}
	return ""
}
