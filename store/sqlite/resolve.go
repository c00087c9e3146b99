package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// Resolve implements gate.Resolver with one query. Somebody who is named is found without sessions, too. Sessions that have
// expired are answered like any other.
func (s *Store) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	if c.Method() == gate.ByInternal {
		return store.Named(ctx, s, c)
	}
	if s.config.WithoutSessions || !store.Askable(c.Token()) {
		return nil, gate.ErrNoSession
	}
	p, err := s.answer(ctx, question{sessionOf, c.Token()})
	switch {
	case err == nil, errors.Is(err, gate.ErrNoSession):
		return p, err
	case ctx.Err() != nil:
		return nil, fmt.Errorf("sqlite: resolve session: %w (%w)", ctx.Err(), err)
	default:
		return nil, fmt.Errorf("sqlite: resolve session: %w", remedy(err))
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

// answer asks, and once more where the schema or the file has changed.
func (s *Store) answer(ctx context.Context, q question) (*gate.Principal, error) {
	p, with, err := s.attempt(ctx, q)
	if changed(err) && ctx.Err() == nil {
		if err = s.lookAgain(ctx, with); err == nil {
			p, _, err = s.attempt(ctx, q)
		}
	}
	return p, err
}

// errReplaced says that the path names another file than the one that is open, whose sessions may be history.
var errReplaced = errors.New("the file was replaced")

// changed reports whether another look may help.
func changed(err error) bool {
	return errors.Is(err, errReplaced) || code(err) == codeError || code(err) == codeSchema
}

// attempt asks once, and tells with which statements.
func (s *Store) attempt(ctx context.Context, q question) (p *gate.Principal, with *prepared, err error) {
	info, err := file(s.path)
	if err != nil {
		return nil, nil, err
	}
	s.using.RLock()
	defer s.using.RUnlock()
	if !os.SameFile(info, s.file) {
		return nil, s.prepared, errReplaced
	}
	stmt := s.prepared.session
	if q.about == personOf {
		stmt = s.prepared.person
	}
	err = patiently(ctx, func() (err error) { p, err = ask(ctx, stmt, q.key); return err })
	return p, s.prepared, err
}

// row is what the query selects, in its order.
type row struct {
	key                       string // the token, or the user id that was asked for
	session, user             string
	createdAt, expiresAt      any
	organization, team        string
	impersonatedBy            string
	name, email               string
	emailVerified, banned     any
	roles                     string
	banExpires                any
	memberOf, slug            string
	title, memberRoles, teams string
	memberSince               any
}

func (r *row) targets() []any {
	return []any{
		&r.key, &r.session, &r.createdAt, &r.expiresAt, &r.organization, &r.team, &r.impersonatedBy,
		&r.user, &r.name, &r.email, &r.emailVerified, &r.roles, &r.banned, &r.banExpires,
		&r.memberOf, &r.slug, &r.title, &r.memberRoles, &r.memberSince, &r.teams,
	}
}

// dated is a membership with its age, which SQL cannot compare where a column holds times in several forms.
type dated struct {
	gate.Membership
	since time.Time
}

func ask(ctx context.Context, stmt *sql.Stmt, key string) (*gate.Principal, error) {
	rows, err := stmt.QueryContext(ctx, key)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var p *gate.Principal
	var members []dated
	var r row
	targets := r.targets()
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		if r.key != key { // the column's collation, or its affinity, holds different texts for equal
			continue
		}
		if p == nil {
			if p, err = r.principal(); err != nil {
				return nil, err
			}
		} else if p.Session.ID != r.session {
			return nil, errors.New("two sessions have the same token: the token column needs a unique index")
		}
		if r.memberOf == "" {
			continue
		}
		m, err := r.membership()
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if p == nil {
		return nil, gate.ErrNoSession
	}
	slices.SortStableFunc(members, func(a, b dated) int { return a.since.Compare(b.since) })
	for _, m := range members {
		p.Memberships = append(p.Memberships, m.Membership)
	}
	return p, nil
}

func (r *row) principal() (*gate.Principal, error) {
	var failed []error
	readInstant := func(column string, value any) time.Time {
		at, err := instant(value)
		if err != nil {
			failed = append(failed, fmt.Errorf("column %s holds %w", column, err))
		}
		return at
	}
	readFlag := func(column string, value any) bool {
		is, err := flag(value)
		if err != nil {
			failed = append(failed, fmt.Errorf("column %s holds %w", column, err))
		}
		return is
	}
	p := &gate.Principal{
		Session: gate.Session{
			ID: r.session, CreatedAt: readInstant("session.createdAt", r.createdAt), ExpiresAt: readInstant("session.expiresAt", r.expiresAt),
			ActiveOrganization: r.organization, ActiveTeam: r.team, ImpersonatedBy: r.impersonatedBy,
		},
		User: gate.User{
			ID: r.user, Name: r.name, Email: r.email, EmailVerified: readFlag("user.emailVerified", r.emailVerified),
			Roles: gate.ParseRoles(r.roles), Banned: readFlag("user.banned", r.banned), BanExpires: readInstant("user.banExpires", r.banExpires),
		},
	}
	return p, errors.Join(failed...)
}

func (r *row) membership() (dated, error) {
	since, err := instant(r.memberSince)
	if err != nil {
		return dated{}, fmt.Errorf("column member.createdAt holds %w", err)
	}
	m := dated{gate.Membership{OrganizationID: r.memberOf, Slug: r.slug, Name: r.title, Roles: gate.ParseRoles(r.memberRoles)}, since}
	if r.teams != "[]" && r.teams != "" {
		if err := json.Unmarshal([]byte(r.teams), &m.Teams); err != nil {
			return dated{}, fmt.Errorf("teams: %w", err)
		}
	}
	return m, nil
}
