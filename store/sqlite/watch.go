package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	"github.com/usherauth/usher/store"
)

const (
	// pollInterval is how late a change may be told. One poll is a stat and, in WAL mode, a look at shared memory; without
	// WAL a lock, 16 bytes and an unlock: about 10 or 15 µs, 0.03 % of one core at this rate, whatever the traffic.
	pollInterval = 50 * time.Millisecond

	// retryInterval is between attempts while there is no file, or none that can be opened.
	retryInterval = 250 * time.Millisecond

	// deaf is how long a writer may hold the whole file before changes count as untold.
	deaf = 500 * time.Millisecond
)

// Watch implements store.Watcher. SQLite tells nobody of a change, but PRAGMA data_version tells a connection whether
// another one, of any process, has committed since; which rows it does not say, so every change is a ChangedAll. The
// connection is Watch's own and stays open: the number means nothing to another.
//
// A file that replaces the one that is open, and one that comes back, is opened anew, and nothing is known any more.
func (s *Store) Watch(ctx context.Context, n store.Notices) {
	w := watch{path: s.path, notices: n}
	defer w.close()
	for ctx.Err() == nil {
		pause := w.look(ctx, time.Now())
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// watch is what one Watch knows. One goroutine uses it.
type watch struct {
	path    string
	notices store.Notices

	db      *sql.DB // nil: nothing is open
	conn    *sql.Conn
	stmt    *sql.Stmt
	file    os.FileInfo // which file conn has open
	version int64

	heard time.Time // when the last poll began that had an answer
	told  string    // what Incomplete said last; empty: the last word was Complete
}

// look polls once, tells what came of it, and answers how long to wait for the next time. What was committed before now
// is seen by it.
func (w *watch) look(ctx context.Context, now time.Time) time.Duration {
	changed, err := w.poll(ctx)
	switch {
	case ctx.Err() != nil:
	case err == nil:
		if changed {
			w.notices.ChangedAll()
		}
		w.notices.Complete(now)
		w.heard, w.told = now, ""
	case code(err) == codeBusy && now.Sub(w.heard) < deaf:
		// Silence. The writer is about to commit, and the next poll is then told of it.
	default:
		if code(err) != codeBusy {
			w.close()
		}
		err = fmt.Errorf("sqlite: watch for changes: %w", remedy(err))
		if w.told != err.Error() {
			w.notices.Incomplete(err)
			w.told = err.Error()
		}
		return retryInterval
	}
	return pollInterval
}

// poll reports whether anything was committed since the last one, which a file just opened counts as.
func (w *watch) poll(ctx context.Context) (changed bool, err error) {
	info, err := file(w.path)
	if err != nil {
		return false, err
	}
	if w.db == nil || !os.SameFile(info, w.file) {
		w.close()
		if err := w.open(ctx); err != nil {
			return false, err
		}
		w.file, changed = info, true
	}
	// Not ctx: the driver would start a goroutine each time to watch it, for a wait that is bounded anyway.
	var version int64
	if err := w.stmt.QueryRowContext(context.WithoutCancel(ctx)).Scan(&version); err != nil {
		if changed {
			w.close() // so that the next poll counts as a change, too
		}
		return false, err
	}
	changed = changed || version != w.version
	w.version = version
	return changed, nil
}

// open makes the connection. On a file that is replaced meanwhile the next poll sees that it is not the one it looked at.
func (w *watch) open(ctx context.Context) (err error) {
	if w.db, err = openReadOnly(w.path); err != nil {
		return err
	}
	// A pool would replace a connection silently, and the new one's number might be the old one's.
	if w.conn, err = w.db.Conn(ctx); err == nil {
		w.stmt, err = w.conn.PrepareContext(ctx, "pragma data_version")
	}
	if err != nil {
		w.close()
	}
	return err
}

func (w *watch) close() {
	if w.db == nil {
		return
	}
	if w.stmt != nil {
		_ = w.stmt.Close()
	}
	if w.conn != nil {
		_ = w.conn.Close()
	}
	_ = w.db.Close()
	w.db, w.conn, w.stmt, w.file = nil, nil, nil, nil
}
