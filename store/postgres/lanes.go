package postgres

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/usherauth/usher/gate"
)

// Lookups that arrive while others are under way are sent together: under load a round trip then carries many, which
// costs both sides half as much. Nobody waits for company: who finds a lane free goes alone and at once.

const (
	mostLanes  = 4               // round trips under way at the same time
	mostAtOnce = 64              // lookups in one of them
	mostRows   = 4000            // that they may have in answer all together, if they are one query
	laneTime   = 2 * time.Second // a little more than a gate gives; whoever has longer then asks alone
)

// lanes say who may go.
type lanes struct {
	mu      sync.Mutex
	free    int
	waiting []*waiter
	waits   int64
	waited  time.Duration
}

// waiter is a lookup that was handed to whoever leaves a lane.
type waiter struct {
	ctx      context.Context
	question question
	since    time.Time
	answer   chan answer
}

type answer struct {
	principal *gate.Principal
	err       error
}

// errAlone sends a waiter to ask alone, with all that a lookup of its own may try again.
var errAlone = errors.New("the lookups that were sent together failed")

// resolve answers a question, alone or with others.
func (s *Store) resolve(ctx context.Context, q question) (*gate.Principal, error) {
	s.lanes.mu.Lock()
	if s.lanes.free > 0 {
		s.lanes.free--
		s.lanes.mu.Unlock()
		defer s.leaveLane()
		return s.alone(ctx, q)
	}
	w := &waiter{ctx, q, time.Now(), make(chan answer, 1)}
	s.lanes.waiting = append(s.lanes.waiting, w)
	s.lanes.waits++
	s.lanes.mu.Unlock()
	select {
	case a := <-w.answer:
		if errors.Is(a.err, errAlone) {
			return s.alone(ctx, q)
		}
		return a.principal, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// leaveLane frees the lane, or keeps it for those who wait: their lookups are nobody's who could be kept from his answer
// by them, hence the goroutine. It ends when nobody waits any more.
func (s *Store) leaveLane() {
	if next := s.next(); next != nil {
		go func() {
			for ; next != nil; next = s.next() {
				s.together(next)
			}
		}()
	}
}

// next takes those who wait now, and frees the lane when there are none.
func (s *Store) next() (next []*waiter) {
	l := &s.lanes
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) > 0 && len(next) < mostAtOnce {
		w := l.waiting[0]
		if w.ctx.Err() == nil { // others are gone
			next = append(next, w)
		}
		l.waited += time.Since(w.since)
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
	}
	if next == nil {
		l.free++
		l.waiting = nil
	}
	return next
}

// together asks for all in one round trip. Who gets no answer from it asks alone.
func (s *Store) together(all []*waiter) {
	if len(all) == 1 {
		p, err := s.alone(all[0].ctx, all[0].question)
		all[0].answer <- answer{p, err}
		return
	}
	answered := 0
	defer func() {
		_ = recover() // whoever then asks alone meets the same panic, on a goroutine where the gate catches it
		for _, w := range all[answered:] {
			w.answer <- answer{err: errAlone}
		}
	}()
	ctx, cancel := context.WithDeadline(context.WithoutCancel(all[0].ctx), last(all))
	defer cancel()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return
	}
	defer release(conn)
	made := s.queries.Load()
	if made.sessions != "" && !slices.ContainsFunc(all, func(w *waiter) bool { return w.question.about != sessionOf }) {
		found, err := askSeveral(ctx, conn.Conn(), made.sessions, all)
		if err != nil {
			return
		}
		for _, w := range all {
			if p := found[w.question.key]; p != nil {
				w.answer <- answer{principal: p}
			} else {
				w.answer <- answer{err: errNone}
			}
			answered++
		}
		return
	}
	var batch pgx.Batch
	for _, w := range all {
		batch.Queue(made.query(w.question), w.question.key)
	}
	results := conn.SendBatch(ctx, &batch)
	defer results.Close()
	for _, w := range all {
		rows, err := results.Query()
		if err != nil {
			return
		}
		p, err := read(rows, w.question.key)
		if err != nil && !errors.Is(err, gate.ErrNoSession) {
			return
		}
		w.answer <- answer{p, err}
		answered++
	}
}

// errTooMany is of a query whose answer may be cut off.
var errTooMany = errors.New("more memberships than are read at once")

// askSeveral asks for many sessions with one query, which costs the server less than half of as many queries. Whose answer
// is missing from it has no session.
func askSeveral(ctx context.Context, conn *pgx.Conn, query string, all []*waiter) (map[string]*gate.Principal, error) {
	found := make(map[string]*gate.Principal, len(all))
	tokens := make([]string, 0, len(all))
	for _, w := range all {
		if _, twice := found[w.question.key]; !twice {
			found[w.question.key] = nil
			tokens = append(tokens, w.question.key)
		}
	}
	rows, err := conn.Query(ctx, query, tokens)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var r row
	targets := r.targets()
	n := 0
	for ; rows.Next(); n++ {
		r.teams = nil
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		p, asked := found[r.key]
		if !asked { // the column's collation holds different texts for equal
			continue
		}
		if found[r.key], err = r.addTo(p); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if n >= mostRows {
		return nil, errTooMany
	}
	return found, nil
}

// last is when nobody wants the answers any more.
func last(all []*waiter) time.Time {
	longest := time.Now().Add(laneTime)
	var last time.Time
	for _, w := range all {
		end, limited := w.ctx.Deadline()
		if !limited || end.After(longest) {
			return longest
		}
		if end.After(last) {
			last = end
		}
	}
	return last
}
