package redis_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/redis"
)

// prompt is how soon a change must be told.
const prompt = time.Second

// notice is one thing that was said, and when.
type notice struct {
	heard time.Time
	tags  []store.Tag
	all   bool      // ChangedAll, or a Complete that implies it
	until time.Time // of a Complete
	why   error     // of an Incomplete
}

// notices keeps all that a Watch says.
type notices struct {
	mu    sync.Mutex
	said  []notice
	doubt bool // since the last Incomplete
}

func (n *notices) add(said notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	said.heard = time.Now()
	if said.why != nil {
		n.doubt = true
	} else if !said.until.IsZero() {
		said.all, n.doubt = n.doubt, false
	}
	n.said = append(n.said, said)
}

func (n *notices) Changed(at time.Time, tags ...store.Tag) { n.add(notice{tags: slices.Clone(tags)}) }
func (n *notices) ChangedAll()                             { n.add(notice{all: true}) }
func (n *notices) Complete(until time.Time)                { n.add(notice{until: until}) }
func (n *notices) Incomplete(why error)                    { n.add(notice{why: why}) }

// find returns the first notice that was heard since an instant and is one of those that match.
func (n *notices) find(since time.Time, match func(notice) bool) (notice, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, said := range n.said {
		if !said.heard.Before(since) && match(said) {
			return said, true
		}
	}
	return notice{}, false
}

func (n *notices) await(t testing.TB, what string, since time.Time, within time.Duration, match func(notice) bool) notice {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		if said, ok := n.find(since, match); ok {
			return said
		}
		if time.Now().After(deadline) {
			n.mu.Lock()
			defer n.mu.Unlock()
			last := n.said[max(0, len(n.said)-5):]
			t.Fatalf("%s: not told within %v; the last of %d notices: %+v", what, within, len(n.said), last)
		}
		time.Sleep(time.Millisecond)
	}
}

func (n *notices) tag(t testing.TB, what string, since time.Time, tag store.Tag) {
	t.Helper()
	n.await(t, what, since, prompt, func(said notice) bool { return slices.Contains(said.tags, tag) })
}

// complete waits for proof of all that happened before now.
func (n *notices) complete(t testing.TB, within time.Duration) {
	t.Helper()
	now := time.Now()
	n.await(t, "complete", now, within, func(said notice) bool { return said.until.After(now) })
}

func (n *notices) incomplete(t testing.TB, since time.Time, within time.Duration) error {
	t.Helper()
	return n.await(t, "incomplete", since, within, func(said notice) bool { return said.why != nil }).why
}

// listen watches until the test ends.
func listen(t testing.TB, s *redis.Store) *notices {
	t.Helper()
	n := &notices{doubt: true}
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { s.Watch(ctx, n) })
	t.Cleanup(func() {
		cancel()
		done := make(chan struct{})
		go func() { watching.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Error("Watch does not end with its context")
			<-done
		}
	})
	return n
}

// TestTold: everything that changes a session is told, by client tracking and by keyspace events, in either version of
// the protocol.
func TestTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ acl, setting, listener string }{
		"client tracking": {listener: "flags=tB "},
		"keyspace events": {acl: "-client|tracking", listener: "resp=3"},
		"version 2":       {setting: "--rename-command HELLO _", listener: "resp=2"},
	} {
		for _, p := range []string{prefix, "", "a*b?[c]\\:"} {
			t.Run(name+" "+p, func(t *testing.T) {
				t.Parallel()
				server := testenv.StartRedis(t, append(strings.Fields(c.setting), "--notify-keyspace-events", "KA", "--maxmemory-policy", "allkeys-random")...)
				server.Call(t, "ACL", "SETUSER", "u", "on", ">p", "~*", "&*", "+@all", cmp.Or(c.acl, "+ping"))
				url := strings.Replace(server.URL(), "://", "://u:p@", 1)
				n := listen(t, open(t, redis.Config{URL: url, Prefix: p}))
				n.complete(t, 5*time.Second)
				if clients := server.Call(t, "CLIENT", "LIST"); !slices.ContainsFunc(strings.Split(clients, "\n"), func(client string) bool {
					return strings.Contains(client, c.listener) && (strings.Contains(client, "psub=1") || strings.Contains(client, "flags=tB"))
				}) {
					t.Errorf("nobody listens as wanted: %s", clients)
				}
				told(t, server, n, p)
				evicted(t, server, n, p)
				if name == "client tracking" {
					since := time.Now()
					server.Call(t, "FLUSHALL")
					n.await(t, "FLUSHALL", since, prompt, func(said notice) bool { return said.all })
				}
				if _, doubt := n.find(time.Time{}, func(said notice) bool { return said.why != nil }); doubt {
					t.Error("there was doubt")
				}
			})
		}
	}
}

func told(t *testing.T, server *testenv.RedisServer, n *notices, p string) {
	session := store.SessionTag("told")
	for _, c := range []struct {
		words string
		tag   store.Tag
	}{
		{"SETEX %stold 100 v", session},
		{"SET %stold w", session},
		{"EXPIRE %stold 50", session},
		{"DEL %stold", session},
		{"SET %stold short PX 50", session},
		{"", session}, // expired
		{"SET %srevoked-sessions-before-u1 12345", store.UserTag("u1")},
		{"DEL %srevoked-sessions-before-u1", store.UserTag("u1")},
	} {
		since := time.Now()
		if c.words != "" {
			var words []string
			for _, word := range strings.Fields(c.words) {
				words = append(words, strings.Replace(word, "%s", p, 1))
			}
			server.Call(t, words...)
		}
		n.tag(t, c.words, since, c.tag)
		time.Sleep(5 * time.Millisecond) // a second event of the same command is not the next one's
	}
}

// evicted takes every key away for lack of memory.
func evicted(t *testing.T, server *testenv.RedisServer, n *notices, p string) {
	victim := store.SessionTag("victim")
	since := time.Now()
	server.Call(t, "SET", p+"victim", "v")
	n.tag(t, "written", since, victim)
	time.Sleep(5 * time.Millisecond)
	since = time.Now()
	server.Call(t, "CONFIG", "SET", "maxmemory", "1")
	n.tag(t, "evicted", since, victim)
	server.Call(t, "CONFIG", "SET", "maxmemory", "0")
}

// TestNothingMissed: sessions change all the time while the listening connection is killed again and again. Every change
// has been told, or all has been forgotten, by the time the watch says that everything was told.
func TestNothingMissed(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	n := listen(t, open(t, redis.Config{URL: server.URL(), Prefix: prefix}))
	n.complete(t, 5*time.Second)

	type change struct {
		tag        store.Tag
		start, end time.Time
	}
	var changes []change
	kills := 0
	for began, i := time.Now(), 0; time.Since(began) < 2*time.Second; i++ {
		token := fmt.Sprint("t", i%50)
		c := change{tag: store.SessionTag(token), start: time.Now()}
		server.Call(t, "SET", prefix+token, "v")
		c.end = time.Now()
		changes = append(changes, c)
		if i%60 == 59 {
			for client := range strings.Lines(server.Call(t, "CLIENT", "LIST")) {
				if strings.Contains(client, " name=usher-watch ") {
					id, _, _ := strings.Cut(strings.TrimPrefix(client, "id="), " ")
					server.Call(t, "CLIENT", "KILL", "ID", id)
					kills++
				}
			}
		}
	}
	n.complete(t, 5*time.Second)
	if kills < 3 || len(changes) < 100 {
		t.Fatalf("%d kills, %d changes", kills, len(changes))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	by := map[string]int{}
	for _, c := range changes {
		proof := slices.IndexFunc(n.said, func(said notice) bool { return said.until.After(c.end) })
		if proof < 0 {
			t.Fatal("no proof")
		}
		known := slices.IndexFunc(n.said[:proof+1], func(said notice) bool {
			return !said.heard.Before(c.start) && (said.all || slices.Contains(said.tags, c.tag))
		})
		switch {
		case known < 0:
			t.Fatalf("a change of %v was not told before %+v", c.end, n.said[proof])
		case n.said[known].all:
			by["all"]++
		default:
			by["tag"]++
		}
	}
	t.Logf("%d changes, %d kills: %v", len(changes), kills, by)
	if by["tag"] == 0 || by["all"] == 0 {
		t.Errorf("told %v: the test wants both", by)
	}
}

func TestServerTakenAway(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	s := open(t, redis.Config{URL: server.URL(), Prefix: prefix})
	n := listen(t, s)
	n.complete(t, 5*time.Second)

	since := time.Now()
	server.Kill()
	n.incomplete(t, since, prompt)
	server.Start()
	n.complete(t, 2*time.Second)
	told(t, server, n, prefix)

	since = time.Now()
	server.Pause()
	why := n.incomplete(t, since, prompt)
	if !errors.Is(why, context.DeadlineExceeded) {
		t.Errorf("of a server that does not answer: %v", why)
	}
	if said, ok := n.find(since.Add(300*time.Millisecond), func(said notice) bool { return !said.until.IsZero() }); ok {
		t.Errorf("complete while the server stood still: %+v", said)
	}
	server.Resume()
	n.complete(t, 2*time.Second)
	told(t, server, n, prefix)
}

// TestDeaf: where changes are not told, the watch says what to do.
func TestDeaf(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	server.Call(t, "ACL", "SETUSER", "u", "on", ">p", "~*", "&*", "+@all", "-client|tracking")
	url := strings.Replace(server.URL(), "://", "://u:p@", 1)
	s := open(t, redis.Config{URL: url, Prefix: prefix})

	n := listen(t, s)
	why := n.incomplete(t, time.Time{}, 5*time.Second).Error()
	for _, want := range []string{"client|tracking", "notify-keyspace-events"} {
		if !strings.Contains(why, want) {
			t.Errorf("%q does not name %q", why, want)
		}
	}

	// Events that stop in the middle are noticed.
	server.Call(t, "CONFIG", "SET", "notify-keyspace-events", "Kg$xe")
	n = listen(t, open(t, redis.Config{URL: url, Prefix: prefix}))
	n.complete(t, 5*time.Second)
	since := time.Now()
	server.Call(t, "CONFIG", "SET", "notify-keyspace-events", "Kg$")
	n.incomplete(t, since, prompt)

	server.Call(t, "ACL", "SETUSER", "u", "-config|get")
	n = listen(t, open(t, redis.Config{URL: url, Prefix: prefix}))
	if why := n.incomplete(t, time.Time{}, 5*time.Second).Error(); !strings.Contains(why, "config|get") {
		t.Errorf("%q", why)
	}

	// A server that does not know HELLO repeats what came with it, the password included.
	old := testenv.StartRedis(t, "--rename-command HELLO _", "--requirepass s3cr3t")
	n = listen(t, open(t, redis.Config{URL: strings.Replace(old.URL(), "://", "://:s3cr3t@", 1), Prefix: prefix}))
	if why := n.incomplete(t, time.Time{}, 5*time.Second).Error(); strings.Contains(why, "s3cr3t") || !strings.Contains(why, "unknown command 'HELLO'") {
		t.Errorf("%q", why)
	}

	replica := testenv.StartRedis(t, "--replicaof", strings.Replace(server.Address(), ":", " ", 1))
	n = listen(t, open(t, redis.Config{URL: replica.URL(), Prefix: prefix}))
	if why := n.incomplete(t, time.Time{}, 5*time.Second).Error(); !strings.Contains(why, "replica") {
		t.Errorf("%q", why)
	}
}
