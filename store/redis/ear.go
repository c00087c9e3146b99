package redis

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/usherauth/usher/store"
)

// ear is a connection on which one server tells what changes in it. One goroutine hears, one other asks.
type ear struct {
	conn    net.Conn
	prefix  string
	notices store.Notices

	answers chan any
	ended   chan struct{} // closed when nothing is heard any more
	why     error         // read only after ended

	modern bool // speaks version 3 of the protocol: unasked words and answers share the connection
	events bool // tells by keyspace events, else by client tracking
	config func(ctx context.Context, name string) (string, error)
	node   string // in a cluster: its id
}

// answerTime is how long a server may take to answer.
const answerTime = 600 * time.Millisecond

// newEar connects, and has to be heard and closed.
func newEar(ctx context.Context, o *redis.Options, prefix string, n store.Notices) (*ear, error) {
	conn, err := o.Dialer(ctx, o.Network, o.Addr)
	if err != nil {
		return nil, err
	}
	return &ear{conn: conn, prefix: prefix, notices: n, answers: make(chan any, 1), ended: make(chan struct{})}, nil
}

// hear passes on what the server says until the connection ends. Notices are given before anything that came later is
// looked at, so an answer proves that all that was said before it has been told.
func (e *ear) hear() {
	defer close(e.ended)
	words := wire{bufio.NewReaderSize(e.conn, 16<<10)}
	for {
		word, err := words.read()
		if err != nil {
			e.why = err
			return
		}
		if e.told(word) {
			continue
		}
		select {
		case e.answers <- word:
		default:
			e.why = errors.New("an answer came that nobody had asked for")
			return
		}
	}
}

// told passes on a word that is no answer.
func (e *ear) told(word any) bool {
	said, unasked := word.(push)
	if !unasked {
		said, _ = word.([]any) // version 2 sends events as if they were answers
	}
	if len(said) == 0 {
		return unasked
	}
	switch said[0] {
	case "invalidate":
		if !unasked || len(said) < 2 {
			return unasked
		}
		if said[1] == nil { // FLUSHALL, FLUSHDB
			e.notices.ChangedAll()
			return true
		}
		keys, _ := said[1].([]any)
		tags := make([]store.Tag, 0, len(keys))
		for _, key := range keys {
			tags = e.appendTag(tags, key)
		}
		if len(tags) > 0 {
			e.notices.Changed(time.Time{}, tags...)
		}
	case "pmessage": // pattern, __keyspace@0__:key, event
		if len(said) != 4 {
			return unasked
		}
		channel, _ := said[2].(string)
		if _, key, found := strings.Cut(channel, ":"); found {
			if tags := e.appendTag(nil, key); tags != nil {
				e.notices.Changed(time.Time{}, tags...)
			}
		}
		return true
	case "psubscribe":
		return false // the answer to it, though sent as if unasked
	}
	return unasked
}

func (e *ear) appendTag(tags []store.Tag, key any) []store.Tag {
	text, _ := key.(string)
	if name, ours := strings.CutPrefix(text, e.prefix); ours {
		if tag, ok := tagOf(name); ok {
			return append(tags, tag)
		}
	}
	return tags
}

// ask sends a command and waits for its answer. What the server refuses is an error.
func (e *ear) ask(ctx context.Context, words ...string) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	deadline, _ := ctx.Deadline()
	_ = e.conn.SetWriteDeadline(deadline)
	if _, err := e.conn.Write(command(words...)); err != nil {
		return nil, err
	}
	select {
	case answer := <-e.answers:
		if no, refused := answer.(refusal); refused {
			return nil, no
		}
		return answer, nil
	case <-e.ended:
		return nil, e.why
	case <-ctx.Done():
		return nil, fmt.Errorf("no answer to %s: %w", words[0], ctx.Err())
	}
}

// begin signs in and has the server tell its changes, by the best means that it has.
func (e *ear) begin(ctx context.Context, o *redis.Options, cluster bool) error {
	why := e.greet(ctx, o)
	if why == nil {
		why = e.track(ctx)
	}
	if unable(why) {
		why = e.subscribe(ctx, why, cluster)
	}
	if why != nil || !cluster {
		return why
	}
	id, err := e.ask(ctx, "CLUSTER", "MYID")
	e.node, _ = id.(string)
	return err
}

// greet signs in. It is a refusal where the server cannot track changes for lack of version 3 of the protocol.
func (e *ear) greet(ctx context.Context, o *redis.Options) error {
	hello := []string{"HELLO", "3"}
	if o.Password != "" {
		hello = append(hello, "AUTH", cmp.Or(o.Username, "default"), o.Password)
	}
	greeting, err := e.ask(ctx, append(hello, "SETNAME", cmp.Or(o.ClientName, "usher")+"-watch")...)
	if err == nil {
		e.modern = true
		return primary(greeting)
	}
	if !unable(err) || o.Password == "" {
		return err
	}
	auth := []string{"AUTH", o.Password}
	if o.Username != "" {
		auth = []string{"AUTH", o.Username, o.Password}
	}
	if _, bad := e.ask(ctx, auth...); bad != nil {
		return errors.New(bad.Error()) // no refusal to do without
	}
	return err
}

// track turns client tracking on: the server names every key below the prefix that is written, deleted, expires or is
// evicted, whoever does it.
func (e *ear) track(ctx context.Context) error {
	words := []string{"CLIENT", "TRACKING", "ON", "BCAST"}
	if e.prefix != "" {
		words = append(words, "PREFIX", e.prefix)
	}
	_, err := e.ask(ctx, words...)
	return err
}

// primary wants the answer to HELLO to be that of a server that takes writes. A replica tells its changes, too, but late.
func primary(greeting any) error {
	if role := member(greeting, "role"); role != "master" {
		return fmt.Errorf("the server is a %v: name the primary in the URL, or let redis+sentinel:// find it", role)
	}
	return nil
}

// beat proves that everything the server did until now has been told. It is two questions, one after the other: a server
// tells changes at the end of a round of its work, and may answer a first question in the very round, before the changes.
// A second one that is sent after that answer is of a later round. Among the masters of a cluster, all must be known.
func (e *ear) beat(ctx context.Context, known map[string]bool) error {
	if e.modern {
		greeting, err := e.ask(ctx, "HELLO", "3")
		if err != nil {
			return err
		}
		if err := primary(greeting); err != nil {
			return err
		}
	}
	if e.events {
		if err := e.checkEvents(ctx); err != nil {
			return err
		}
		if _, err := e.ask(ctx, "PING"); err != nil {
			return err
		}
	} else if err := e.checkTracking(ctx); err != nil {
		return err
	}
	if known == nil {
		return nil
	}
	slots, err := e.ask(ctx, "CLUSTER", "SLOTS")
	if err != nil {
		return err
	}
	return onlyKnown(slots, known)
}

func (e *ear) checkTracking(ctx context.Context) error {
	state, err := e.ask(ctx, "CLIENT", "TRACKINGINFO")
	if refused(err) { // unknown to Redis 6.0, or not allowed
		_, err = e.ask(ctx, "PING")
		return err
	}
	if err != nil {
		return err
	}
	if flags := member(state, "flags"); !contains(flags, "bcast") || contains(flags, "broken_redirect") {
		return errors.New("the server no longer tracks changes for this connection")
	}
	return nil
}

// refused reports whether an error is the server's own.
func refused(err error) bool {
	var no refusal
	return errors.As(err, &no)
}

// unable reports whether a server does not know a command, or does not allow it.
func unable(err error) bool {
	var no refusal
	return errors.As(err, &no) && (strings.HasPrefix(string(no), "ERR") || strings.HasPrefix(string(no), "NOPERM") ||
		strings.HasPrefix(string(no), "NOPROTO"))
}
