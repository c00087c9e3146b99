package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

const (
	probeEvery    = 30 * time.Second
	probeWait     = time.Second            // for its arrival
	probeSendWait = 200 * time.Millisecond // for a connection of the pool; while there is none, it is sent later
)

// errPooler is of notifications that do not arrive. A pooler that lends server connections out for one transaction loses
// them: whoever has the connection next gets them, or nobody.
var errPooler = hopelessError{errors.New("notifications do not arrive: a pooler stands between that lends connections out per transaction. " +
	"Give store.url the server itself, or a pooler in session mode; else cache.ttl_unnotified says how old answers may be")}

// probe tries from time to time whether a notification that another connection sends arrives at the one that listens.
// Everything else about that connection may look well while a pooler stands between.
type probe struct {
	passed bool      // one arrived
	number string    // of the one under way; empty: none
	sent   time.Time // the last one
}

// run sends one when it is time, and fails when one did not arrive.
func (p *probe) run(ctx context.Context, s *Store, now time.Time) error {
	if p.number != "" {
		if now.Sub(p.sent) > probeWait {
			return errPooler
		}
		return nil
	}
	if now.Sub(p.sent) < probeEvery {
		return nil
	}
	wait := probeWait
	if p.passed {
		wait = probeSendWait
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	p.number = rand.Text() // before it is sent: it may arrive before we are told that it was
	err := s.notify(ctx, probing+p.number)
	switch {
	case err == nil:
		p.sent = now
	case state(err) == readOnlyTransaction:
		return errStandby
	case state(err) != "" || !p.passed:
		return fmt.Errorf("try whether notifications arrive: %w", err)
	default:
		p.number = "" // the pool has no connection now, which says nothing about the one that listens
	}
	return nil
}

// hear takes note of a probe's arrival; others are those of other replicas.
func (p *probe) hear(number string) {
	if number == p.number {
		p.number, p.passed = "", true
	}
}

// notify sends a notification on a connection of the pool.
func (s *Store) notify(ctx context.Context, payload string) error {
	for attempt := 0; ; attempt++ {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "select pg_catalog.pg_notify('"+channel+"', $1::text)", payload)
		lost := conn.Conn().IsClosed()
		release(conn)
		if err == nil || ctx.Err() != nil || !lost || attempt > s.maxConns {
			return err
		}
	}
}
