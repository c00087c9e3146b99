package provisioned

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/postgres"
)

// Rows makes business rows. It is safe for concurrent use. Every call ends with its context. Errors name tables, columns and
// constraints and quote no value.
type Rows struct {
	config   Config
	mappings []*mapping
	now      func() time.Time
	db       *database
	from     *database // the session database; nil where nothing is read from it; may be db itself
	shape    atomic.Pointer[shape]
	doomed   doomed

	looking chan struct{} // full while somebody looks at the tables again
	vain    atomic.Int64  // when that last did not help; Unix time in nanoseconds
}

// shape is what one look at the tables found.
type shape struct {
	users, organizations, members *layout // the latter two may be nil
	source                        *source

	one, all string // find the row of a user, alone and with those of his organizations and memberships
}

// Open connects and looks at the tables once. It fails with a store.MissingError or store.UnusableError, which stay until
// somebody changes the schema or the configuration, or says which grant the role lacks.
func Open(ctx context.Context, c Config) (*Rows, error) {
	r, err := open(ctx, c)
	if err == nil {
		if err = r.look(ctx); err != nil {
			r.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("provisioned: %w", err)
	}
	return r, nil
}

// Check is everything that is wrong with the mapping. Its error says that the databases could not be looked at.
func Check(ctx context.Context, c Config) ([]store.Finding, error) {
	findings := func(all []problem) []store.Finding {
		var list []store.Finding
		for _, p := range all {
			list = append(list, p.Finding)
		}
		return list
	}
	if all := c.check(); all != nil {
		return findings(all), nil
	}
	r, err := open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("provisioned: %w", err)
	}
	defer r.Close()
	s, all, err := r.survey(ctx)
	if err == nil && all == nil {
		err = r.try(ctx, s)
		if lasting := ctx.Err() == nil && !postgres.Lost(err); err != nil && lasting {
			return []store.Finding{{Note: err.Error()}}, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("provisioned: %w", err)
	}
	return findings(all), nil
}

func open(ctx context.Context, c Config) (r *Rows, err error) {
	if err := asError(c.check()); err != nil {
		return nil, err
	}
	r = &Rows{config: c, mappings: c.mappings(), now: c.Now, looking: make(chan struct{}, 1)}
	if r.now == nil {
		r.now = time.Now
	}
	if r.db, err = openDatabase(ctx, c.URL, "provision.store.url", true); err != nil {
		return nil, err
	}
	switch {
	case !sourced(r.mappings):
	case c.Source.URL == c.URL:
		r.from = r.db
	default:
		if r.from, err = openDatabase(ctx, c.Source.URL, "store.url", false); err != nil {
			r.db.close()
			return nil, fmt.Errorf("session database: %w", err)
		}
	}
	return r, nil
}

// Close closes every connection, after those in use have answered.
func (r *Rows) Close() {
	r.db.close()
	if r.from != nil && r.from != r.db {
		r.from.close()
	}
}

// Ping reports whether rows can be found now. It is asked all the time, so the tables are looked at again, with a write of no
// row to each, only where that fails; what else has changed in them is found by whoever makes one.
func (r *Rows) Ping(ctx context.Context) error {
	if _, err := r.find(ctx, r.shape.Load(), nil, nil); err == nil {
		return nil
	}
	if err := r.alone(ctx, func() error { return r.look(ctx) }); err != nil {
		return fmt.Errorf("provisioned: %w", err)
	}
	return nil
}

func (r *Rows) look(ctx context.Context) error {
	s, problems, err := r.survey(ctx)
	if err != nil {
		return err
	}
	if err := asError(problems); err != nil {
		return err
	}
	if err := r.try(ctx, s); err != nil {
		return err
	}
	r.shape.Store(s)
	return nil
}

// survey looks at all tables. Without problems there is a shape.
func (r *Rows) survey(ctx context.Context) (*shape, []problem, error) {
	s := new(shape)
	var all []problem
	err := r.db.use(ctx, func() error {
		for _, t := range r.mappings {
			f, err := r.db.look(ctx, t)
			if err != nil {
				return fmt.Errorf("look at table %q: %w", t.configured, r.db.remedy(err))
			}
			if found := t.judge(r.db, f); found != nil {
				all = append(all, found...)
				continue
			}
			l := newLayout(r.db, t, f)
			switch t.section {
			case "users":
				s.users = l
			case "organizations":
				s.organizations = l
			case "members":
				s.members = l
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if r.from != nil {
		err := r.from.use(ctx, func() (err error) {
			s.source, err = lookAtSource(ctx, r.from, r.config.Source.Tables)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		all = append(all, s.source.judge(r.mappings)...)
	}
	if all == nil {
		all = s.judge()
	}
	if all != nil {
		return nil, all, nil
	}
	s.one, s.all = s.users.findOne(), s.steady()
	return s, nil, nil
}

// layouts are the tables that there are.
func (s *shape) layouts() []*layout {
	all := []*layout{s.users}
	for _, l := range []*layout{s.organizations, s.members} {
		if l != nil {
			all = append(all, l)
		}
	}
	return all
}

// try runs every kind of statement on no row.
func (r *Rows) try(ctx context.Context, s *shape) error {
	if _, err := r.find(ctx, s, nil, nil); err != nil {
		return err
	}
	for _, l := range s.layouts() {
		if err := r.tryToWrite(ctx, l); err != nil {
			if postgres.Unwritable(err) {
				err = fmt.Errorf("%w; provision.store.url leads to a replica or a read-only role, where no row can be made", err)
			}
			return l.explain("try to make a row", r.db, err)
		}
	}
	return nil
}

func (r *Rows) tryToWrite(ctx context.Context, l *layout) error {
	return r.db.use(ctx, func() error {
		insert, args := l.nothing()
		err := r.db.each(ctx, r.db.write, insert, args, func() error { return nil }, new(any), new(any))
		if err != nil || !l.update {
			return err
		}
		return r.db.patiently(ctx, func() error {
			_, err := r.db.write.ExecContext(ctx, l.unchanged())
			return err
		})
	})
}

// again follows a call that failed with this shape. Of many that fail together one looks, and while that does not help, one a
// second.
func (r *Rows) again(ctx context.Context, failed *shape) error {
	return r.alone(ctx, func() error {
		if r.shape.Load() != failed {
			return nil
		}
		if time.Now().UnixNano()-r.vain.Load() < int64(time.Second) {
			return errInVain
		}
		err := r.look(ctx)
		if err != nil {
			r.vain.Store(time.Now().UnixNano())
		}
		return err
	})
}

var errInVain = errors.New("the tables were looked at within the last second, and could not be used")

// alone keeps others from looking at the same time.
func (r *Rows) alone(ctx context.Context, do func() error) error {
	select {
	case r.looking <- struct{}{}:
		defer func() { <-r.looking }()
		return do()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Provision makes the rows of a principal that are missing, and fills in the keys. Nobody else may hold the principal yet. A
// row of the user's that cannot be made is an error; one of an organization's, that the database refuses, leaves that
// membership without a key, and the principal Partial.
func (r *Rows) Provision(ctx context.Context, p *gate.Principal) error {
	return r.fill(ctx, p, true)
}

// Look fills in the keys of rows that are there.
func (r *Rows) Look(ctx context.Context, p *gate.Principal) error { return r.fill(ctx, p, false) }

func (r *Rows) fill(ctx context.Context, p *gate.Principal, makes bool) error {
	for attempt := 0; ; attempt++ {
		s := r.shape.Load()
		w := &work{Rows: r, shape: s, ctx: ctx, p: p, makes: makes}
		err := w.do()
		if err == nil {
			err = w.shadowed()
		}
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			if !errors.Is(err, ctx.Err()) {
				err = fmt.Errorf("%w (%w)", ctx.Err(), err)
			}
			return fmt.Errorf("provisioned: %w", err)
		}
		if _, refused := refusal(err); attempt > 0 || refused {
			if !refused {
				r.vain.Store(time.Now().UnixNano())
			}
			return r.told(err)
		}
		if looked := r.again(ctx, s); looked != nil {
			if !errors.Is(looked, errInVain) {
				err = looked
			}
			return r.told(err)
		}
	}
}

// told is an error as it is returned. A table or a column that is gone, also from whoever looked again, is no database that is
// away: waiting does not mend it.
func (r *Rows) told(err error) error {
	if (store.Permanent(err) || r.db.changed(err)) && !errors.Is(err, gate.ErrNotProvisioned) {
		return fmt.Errorf("provisioned: %w: %w", gate.ErrNotProvisioned, err)
	}
	return fmt.Errorf("provisioned: %w", err)
}
