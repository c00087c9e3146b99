package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usherauth/usher/store"
)

// listener is one connection that listens, from its making to its loss.
type listener struct {
	store   *Store
	notices store.Notices
	heard   bool // it was complete at least once

	conn     *pgx.Conn
	several  bool      // store.url names more than one server
	backend  int32     // the server process that listens
	print    string    // the schema as it was when the triggers were last compared
	compared time.Time // when that was
	untold   error     // what they lack
	probe    probe
}

// run listens until something goes wrong.
func (l *listener) run(ctx context.Context) error {
	if err := l.connect(ctx); err != nil {
		return err
	}
	defer l.close()
	if l.several {
		l.store.leaveOthers(ctx, l.conn.PgConn().Conn().RemoteAddr())
		l.store.pool.Reset() // those in use now end with their lookups, which Complete overtakes
	}
	for {
		began := time.Now()
		if err := l.prove(ctx, began); err != nil {
			return err
		}
		if l.several {
			l.store.leaveOthers(ctx, l.conn.PgConn().Conn().RemoteAddr())
		}
		if err := l.probe.run(ctx, l.store, began); err != nil {
			return err
		}
		if l.untold == nil && l.probe.passed {
			l.heard = true
			l.notices.Complete(began)
		}
		if err := l.listen(ctx, began.Add(pulse)); err != nil {
			return err
		}
	}
}

// connect opens the connection with the configuration of the pool's, and listens on it.
func (l *listener) connect(ctx context.Context) error {
	config := l.store.pool.Config().ConnConfig
	l.several = servers(config) > 1
	if l.several && !onlyPrimary(config) {
		return hopelessError{errors.New("store.url names several servers, so lookups may go to another one than notices come from: " +
			"add target_session_attrs=primary to it, or name one server")}
	}
	config.RuntimeParams["application_name"] = "usher revocation"
	config.OnNotification = l.hear
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("listen for changes: %w; %s", err, remedy(err))
	}
	l.conn = conn
	ctx, cancel := context.WithTimeout(ctx, pulseTimeout)
	defer cancel()
	err = conn.QueryRow(ctx, "select pg_catalog.pg_backend_pid()").Scan(&l.backend)
	if err == nil {
		_, err = conn.Exec(ctx, "listen "+channel)
	}
	if err != nil {
		l.close()
		if state(err) == readOnlyTransaction {
			return errStandby
		}
		return fmt.Errorf("listen for changes: %w", err)
	}
	return nil
}

// errStandby is of a server that follows another: PostgreSQL lets nobody listen there.
var errStandby = errors.New("listen for changes: the server is a hot standby, where nobody can: let store.url name the primary, " +
	"or add target_session_attrs=primary to its hosts")

// onlyPrimary reports whether no connection is made but to the one server that can be written to.
func onlyPrimary(config *pgx.ConnConfig) bool {
	if config.ValidateConnect == nil {
		return false
	}
	validate := reflect.ValueOf(config.ValidateConnect).Pointer()
	return validate == reflect.ValueOf(pgconn.ValidateConnectTargetSessionAttrsPrimary).Pointer() ||
		validate == reflect.ValueOf(pgconn.ValidateConnectTargetSessionAttrsReadWrite).Pointer()
}

// close says goodbye in a moment or not at all: who does not listen any more is forgotten by the server.
func (l *listener) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_ = l.conn.Close(ctx)
}

// selectState proves that this is still the server process that listens, and fingerprints what telling depends on: the
// tables of our names, their columns and triggers, and the triggers' functions. Every change of those makes new rows in
// the catalog, whose xmin differs.
const selectState = `
select pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery(),
  exists (select from pg_catalog.pg_listening_channels() as open (channel) where channel = '` + channel + `'),
  pg_catalog.md5(coalesce((
    select pg_catalog.string_agg(pg_catalog.concat_ws(' ', c.oid, c.xmin, t.oid, t.xmin, t.tgenabled, f.oid, f.xmin,
      (select pg_catalog.string_agg(a.xmin::text, ' ' order by a.attnum) from pg_catalog.pg_attribute a where a.attrelid = c.oid)), ',' order by c.oid, t.oid)
    from pg_catalog.pg_class c
    left join pg_catalog.pg_trigger t on t.tgrelid = c.oid and not t.tgisinternal
    left join pg_catalog.pg_proc f on f.oid = t.tgfoid
    where c.relname = any($1::text[]::name[])), ''))`

// prove asks whether all that was changed until now was heard. The server sends what it has for us before it answers.
func (l *listener) prove(ctx context.Context, began time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, pulseTimeout)
	defer cancel()
	var backend int32
	var standby, listening bool
	var print string
	err := l.conn.QueryRow(ctx, selectState, l.store.config.Tables.Candidates()).Scan(&backend, &standby, &listening, &print)
	switch {
	case errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err):
		return fmt.Errorf("the server did not answer within %v", pulseTimeout)
	case err != nil:
		return fmt.Errorf("the connection that listens is lost: %w", err)
	case standby:
		return errStandby
	case backend != l.backend, !listening:
		return errPooler
	}
	if print != l.print || began.Sub(l.compared) > compareEvery {
		return l.compare(ctx, print, began)
	}
	return nil
}

// compare looks at the triggers anew, and says so where they do not tell everything.
func (l *listener) compare(ctx context.Context, print string, now time.Time) error {
	r, in, err := l.store.config.lookAtRevocation(ctx, once{l.conn})
	if err == nil {
		err = in.untold(r)
	}
	if l.conn.IsClosed() || ctx.Err() != nil {
		return err
	}
	if l.print != "" && l.print != print {
		l.notices.ChangedAll() // triggers that were away for less than a pulse told nothing of what changed meanwhile
	}
	l.print, l.compared, l.untold = print, now, err
	if err != nil {
		l.notices.Incomplete(fmt.Errorf("postgres: %w", err))
	}
	return nil
}

// leaveOthers closes the pool's connections to other servers than this one. After a failover, the old primary may be back
// and not know yet that it is none any more; what it answers is history.
func (s *Store) leaveOthers(ctx context.Context, server net.Addr) {
	for _, conn := range s.pool.AcquireAllIdle(ctx) {
		if conn.Conn().PgConn().Conn().RemoteAddr().String() == server.String() {
			conn.Release()
			continue
		}
		_ = conn.Hijack().PgConn().Conn().Close() // without a goodbye, which a server that does not answer would delay
	}
}

// listen waits for notifications until a time, or until the first probe has arrived.
func (l *listener) listen(ctx context.Context, until time.Time) error {
	waiting, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	probed := l.probe.passed
	for {
		err := l.conn.PgConn().WaitForNotification(waiting)
		switch {
		case err == nil && l.probe.passed && !probed:
			return nil
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case waiting.Err() != nil && !l.conn.IsClosed():
			return nil
		default:
			return fmt.Errorf("the connection that listens is lost: %w", err)
		}
	}
}

// hear passes one notification on.
func (l *listener) hear(_ *pgconn.PgConn, heard *pgconn.Notification) {
	if heard.Channel != channel {
		return
	}
	if number, ok := strings.CutPrefix(heard.Payload, probing); ok {
		l.probe.hear(number)
		return
	}
	if tag, at, ok := parse(heard.Payload); ok {
		l.notices.Changed(at, tag)
		return
	}
	l.notices.ChangedAll() // "everything", or what a later version says
}

// parse reads "<tag> <milliseconds since 1970>".
func parse(payload string) (tag store.Tag, at time.Time, ok bool) {
	text, since, _ := strings.Cut(payload, " ")
	tag, ok = store.ParseTag(text)
	milliseconds, err := strconv.ParseInt(since, 10, 64)
	return tag, time.UnixMilli(milliseconds), ok && err == nil
}
