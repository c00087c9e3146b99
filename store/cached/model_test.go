package cached_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/cached"
)

// TestModel runs a cache against a model of a storage and its watcher, in which anything may happen in any order. Whatever
// the cache answers must have been true at an instant that is not too long ago:
//
//   - never before a change that was told, or before everything was forgotten
//   - not longer ago than TTL, or TTLUnnotified while notices are not complete, or a second for nobody and what has ended
//   - a session that was alive is not answered from memory after its end
//   - a change in the middle of a lookup may show or not in its own answer, and nowhere else
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			now: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC), rows: make(map[string][]version), notes: make(map[string]int),
			config: cached.Config{
				Size:          rapid.SampledFrom([]int{1000, 3, 0}).Draw(t, "size"),
				TTL:           rapid.SampledFrom([]time.Duration{20 * time.Second, 2 * time.Second, 0}).Draw(t, "TTL"),
				TTLUnnotified: rapid.SampledFrom([]time.Duration{3 * time.Second, 0, 500 * time.Millisecond}).Draw(t, "TTLUnnotified"),
			},
		}
		for i := range modelTokens {
			m.ends[i] = m.now.Add(time.Duration(i+1) * 5 * time.Second)
		}
		m.config.Now = func() time.Time { return m.now }
		m.compose(nil)
		m.cache = cached.New(m, m.config)
		defer m.cache.Close()
		if rapid.IntRange(0, 4).Draw(t, "watched") > 0 {
			m.channel = m.cache.Channel("model")
		}
		t.Repeat(map[string]func(*rapid.T){
			"change":     m.change,
			"deliver":    m.deliver,
			"complete":   m.complete,
			"lose":       m.lose,
			"flush":      m.flush,
			"pass":       m.pass,
			"resolve":    m.resolve,
			"overlap":    m.overlap,
			"drop":       m.drop,
			"resolveAll": func(t *rapid.T) { m.resolveAll(t) },
		})
	})
}

const modelTokens = 6

// model is a storage with six sessions, two of each of three users, in two organizations, and what is known of it.
type model struct {
	now     time.Time
	config  cached.Config
	cache   *cached.Cache
	channel store.Notices // nil: nobody watches

	rows    map[string][]version // of every token, the last one is the present
	notes   map[string]int       // versions of users, organizations and sessions
	ends    [modelTokens]time.Time
	gone    [modelTokens]bool
	outside [modelTokens / 2]bool // users that are in no organization
	step    int

	up       bool // the watcher tells
	until    time.Time
	untold   []*event
	happened []*event
	during   func() // in the middle of the next lookup
	asked    int
}

// event is one change.
type event struct {
	step int
	at   time.Time
	tag  store.Tag
	told bool
}

// version is what a token was worth until something changed. Nil is nobody.
type version struct {
	principal *gate.Principal
	replaced  *event // nil: it is true now
}

func (v version) String() string {
	if v.principal == nil {
		return "nobody"
	}
	return fmt.Sprintf("%+v", *v.principal)
}

// Resolve implements gate.Resolver.
func (m *model) Resolve(_ context.Context, c gate.Credential) (*gate.Principal, error) {
	m.asked++
	versions := m.rows[c.Token()]
	p := versions[len(versions)-1].principal
	if during := m.during; during != nil {
		m.during = nil
		during()
	}
	if p == nil {
		return nil, gate.ErrNoSession
	}
	return p, nil
}

// compose makes the present versions, after an event.
func (m *model) compose(e *event) {
	for i := range modelTokens {
		var p *gate.Principal
		if user := i / 2; !m.gone[i] {
			name, organization := fmt.Sprint("u", user), fmt.Sprint("o", user%2)
			p = &gate.Principal{
				Session: gate.Session{ID: fmt.Sprint("s", i, " ", m.notes[numbered(i)]), ExpiresAt: m.ends[i]},
				User:    gate.User{ID: name, Name: fmt.Sprint(m.notes[name])},
			}
			if !m.outside[user] {
				p.Memberships = []gate.Membership{{OrganizationID: organization, Name: fmt.Sprint(m.notes[organization])}}
			}
		}
		versions := m.rows[numbered(i)]
		next := version{principal: p}
		if n := len(versions); n > 0 {
			if versions[n-1].String() == next.String() {
				continue
			}
			versions[n-1].replaced = e
		}
		m.rows[numbered(i)] = append(versions, next)
	}
}

func (m *model) change(t *rapid.T) { m.changeOf(t)() }

// changeOf draws a change that happens later.
func (m *model) changeOf(t *rapid.T) func() {
	i := rapid.IntRange(0, modelTokens-1).Draw(t, "which")
	kind := rapid.SampledFrom([]string{"user", "organization", "session", "sign in or out", "join or leave", "shorten or extend"}).Draw(t, "kind")
	seconds := rapid.IntRange(-2, 10).Draw(t, "seconds")
	return func() { m.happen(i, kind, seconds) }
}

func (m *model) happen(i int, kind string, seconds int) {
	m.step++
	e := &event{step: m.step, at: m.now}
	user, organization := fmt.Sprint("u", i/2), fmt.Sprint("o", i/2%2)
	switch kind {
	case "user":
		m.notes[user]++
		e.tag = store.UserTag(user)
	case "organization":
		m.notes[organization]++
		e.tag = store.OrganizationTag(organization)
	case "join or leave":
		m.outside[i/2] = !m.outside[i/2]
		e.tag = store.UserTag(user)
	default:
		m.notes[numbered(i)]++
		e.tag = store.SessionTag(numbered(i))
		switch kind {
		case "sign in or out":
			m.gone[i] = !m.gone[i]
		case "shorten or extend":
			m.ends[i] = m.now.Add(time.Duration(seconds) * time.Second)
		}
	}
	m.happened = append(m.happened, e)
	if m.up {
		m.untold = append(m.untold, e)
	}
	m.compose(e)
}

// deliver tells some of what happened, in order.
func (m *model) deliver(t *rapid.T) {
	if m.channel != nil {
		m.tell(rapid.IntRange(0, 5).Draw(t, "notices"))
	}
}

func (m *model) tell(n int) {
	n = min(n, len(m.untold))
	for _, e := range m.untold[:n] {
		m.channel.Changed(e.at, e.tag)
		for _, earlier := range m.happened { // whatever depends on this tag is no longer known
			if earlier.step <= e.step && earlier.tag == e.tag {
				earlier.told = true
			}
		}
	}
	m.untold = slices.Clone(m.untold[n:])
}

func (m *model) complete(*rapid.T) {
	if m.channel == nil {
		return
	}
	m.tell(len(m.untold))
	if !m.up {
		m.forgotten()
	}
	m.up, m.until = true, m.now
	m.channel.Complete(m.now)
}

func (m *model) lose(*rapid.T) {
	if m.channel != nil {
		m.up, m.untold = false, nil
		m.channel.Incomplete(errors.New("lost"))
	}
}

func (m *model) flush(*rapid.T) {
	if m.channel != nil {
		m.channel.ChangedAll()
		m.forgotten()
	}
}

// forgotten says that everything that happened is known.
func (m *model) forgotten() {
	for _, e := range m.happened {
		e.told = true
	}
}

func (m *model) pass(t *rapid.T) {
	m.now = m.now.Add(someTime().Draw(t, "passes"))
}

func someTime() *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.SampledFrom([]int{1, 10, 400, 999, 1000, 1001, 3000, 20000}),
		func(milliseconds int) time.Duration { return time.Duration(milliseconds) * time.Millisecond })
}

func (m *model) drop(t *rapid.T) {
	dropped := numbered(rapid.IntRange(0, modelTokens-1).Draw(t, "which"))
	m.cache.Drop(dropped)
	for _, v := range m.rows[dropped] { // its own events are told; it hears of the others at the same time
		if v.replaced != nil && v.replaced.tag == store.SessionTag(dropped) {
			v.replaced.told = true
		}
	}
}

func (m *model) limit() time.Duration {
	if m.up && m.now.Sub(m.until) <= time.Second {
		return m.config.TTL
	}
	return min(m.config.TTL, m.config.TTLUnnotified)
}

func (m *model) resolve(t *rapid.T) {
	i := rapid.IntRange(0, modelTokens-1).Draw(t, "which")
	m.look(t, i)
	if m.config.Size > modelTokens && m.limit() > 0 {
		before := m.asked
		m.look(t, i)
		if m.asked != before {
			t.Errorf("asked again at once")
		}
	}
}

func (m *model) resolveAll(t *rapid.T) {
	for i := range modelTokens {
		m.look(t, i)
	}
}

// overlap lets something happen in the middle of a lookup.
func (m *model) overlap(t *rapid.T) {
	change, notices := m.changeOf(t), rapid.IntRange(0, 5).Draw(t, "notices")
	flush, passes := rapid.Bool().Draw(t, "flush"), someTime().Draw(t, "passes")
	m.during = func() { // on another goroutine, where nothing can be drawn
		change()
		if m.channel != nil {
			m.tell(notices)
		}
		if flush {
			m.flush(t)
		}
		m.now = m.now.Add(passes)
	}
	m.look(t, rapid.IntRange(0, modelTokens-1).Draw(t, "which"))
	m.during = nil // it was answered from memory
}

// look resolves, and judges the answer.
func (m *model) look(t *rapid.T, i int) {
	began := m.step
	var p *gate.Principal
	var err error
	if rapid.Bool().Draw(t, "recalls") { // as the gate does; and whoever has nothing to recall may have it by now
		p = m.cache.Recall(proven(numbered(i)))
	}
	if p == nil {
		p, err = m.cache.Resolve(context.Background(), proven(numbered(i)))
	}
	if err != nil && !errors.Is(err, gate.ErrNoSession) || (err == nil) != (p != nil) {
		t.Fatalf("%v, %v", p, err)
	}
	if p != nil {
		p = new(*p)
		p.Plain = false
	}
	got := version{principal: p}
	var why string
	for _, v := range slices.Backward(m.rows[numbered(i)]) {
		if v.String() != got.String() {
			continue
		}
		if why = m.stale(v, began); why == "" {
			return
		}
	}
	t.Fatalf("token %d at %v: got %s: %s\nof %v", i, m.now.Format("05.000"), got, why, m.rows[numbered(i)])
}

// stale says why a version cannot be answered any more.
func (m *model) stale(v version, began int) string {
	e, limit := v.replaced, m.limit()
	if e == nil || e.step > began {
		return ""
	}
	age := m.now.Sub(e.at)
	ended := v.principal != nil && !v.principal.Session.ExpiresAt.After(m.now)
	if v.principal == nil || ended {
		limit = min(limit, time.Second)
	}
	switch {
	case m.config.Size == 0:
		return "nothing is remembered"
	case e.told:
		return "the change was told"
	case age >= limit:
		return fmt.Sprintf("it was true %v ago, the limit is %v", age, limit)
	case ended && e.at.Before(v.principal.Session.ExpiresAt):
		return "it was alive when it was looked up, and has ended"
	}
	return ""
}
