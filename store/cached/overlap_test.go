package cached_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/cached"
)

// TestOverlappedLookups forces the race of a lookup and a notice about what it read: the lookup has read the row, then
// the row changes, then the notice comes, then the lookup returns.
func TestOverlappedLookups(t *testing.T) {
	notices := map[string]func(store.Notices){
		"everything": func(n store.Notices) { n.ChangedAll() },
		"first complete after incomplete": func(n store.Notices) {
			n.Incomplete(errors.New("connection lost"))
			n.Complete(time.Now())
		},
	}
	for kind, tag := range tags() {
		notices[kind] = func(n store.Notices) { n.Changed(time.Now(), tag) }
	}
	for _, before := range []string{"Ada", "nobody"} {
		cases := maps.Clone(notices)
		if before == "nobody" { // who depends on neither user nor organization
			delete(cases, "user")
			delete(cases, "organization")
		}
		for it, notice := range cases {
			t.Run(it+", it was "+before, func(t *testing.T) {
				inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
					n := c.Channel("test")
					defer tell(n)()
					if before == "nobody" {
						s.set(token, nil)
					}
					slow := newLatch()
					s.holdUp(slow.hold)
					ask := func() <-chan string {
						name := make(chan string, 1)
						go func() { name <- look(t, c, token) }()
						synctest.Wait()
						return name
					}
					first, joined := ask(), ask()
					s.set(token, person("Bob"))
					notice(n)
					late := ask() // and finds the old lookup under way
					wantAsked(t, s, token, 1)
					s.holdUp(nil)
					slow.open()
					for it, name := range map[string]<-chan string{"the first": first, "who joined before": joined} {
						if got := <-name; got != before {
							t.Errorf("%s is answered with %s, want what was there when he asked", it, got)
						}
					}
					if got := <-late; got != "Bob" {
						t.Errorf("who came after the notice is answered with %s", got)
					}
					wantAsked(t, s, token, 2)
					want(t, c, token, "Bob")
					wantAsked(t, s, token, 2)
					if got := c.Stats(); got.Discarded != 1 || got.Collapsed != 2 {
						t.Errorf("%+v", got)
					}
				})
			})
		}
	}
}

// TestOverlappedWithoutCompany: nothing of the overlapped answer is kept when nobody asks again at once.
func TestOverlappedWithoutCompany(t *testing.T) {
	for it, tag := range tags() {
		t.Run(it, func(t *testing.T) {
			inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
				n := c.Channel("test")
				defer tell(n)()
				slow := newLatch()
				s.holdUp(slow.hold)
				go look(t, c, token)
				synctest.Wait()
				s.set(token, nil)
				n.Changed(time.Now(), tag)
				s.holdUp(nil)
				slow.open()
				synctest.Wait()
				if got := c.Stats(); got.Entries != 0 || got.Discarded != 1 {
					t.Errorf("kept: %+v", got)
				}
				want(t, c, token, "nobody")
			})
		})
	}
}

// TestUnrelatedNotices: a notice about something else does not keep an answer from being kept, nor anybody waiting.
func TestUnrelatedNotices(t *testing.T) {
	inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
		n := c.Channel("test")
		defer tell(n)()
		slow := newLatch()
		s.holdUp(slow.hold)
		names := make(chan string, 2)
		go func() { names <- look(t, c, token) }()
		synctest.Wait()
		n.Changed(time.Now(), store.SessionTag("another"), store.UserTag("another"), store.OrganizationTag("another"))
		go func() { names <- look(t, c, token) }()
		synctest.Wait()
		slow.open()
		for range 2 {
			if got := <-names; got != "Ada" {
				t.Error(got)
			}
		}
		want(t, c, token, "Ada")
		wantAsked(t, s, token, 1)
	})
}

// TestNoticesInALongRow: somebody who keeps finding lookups that were overtaken is answered all the same, because the
// second began after he came.
func TestNoticesInALongRow(t *testing.T) {
	inTime(t, ordinary(), func(t *testing.T, s *source, c *cached.Cache) {
		n := c.Channel("test")
		defer tell(n)()
		step := make(chan struct{})
		s.holdUp(func(_ context.Context, _ string) error { <-step; return nil })
		names := make(chan string, 2)
		go func() { names <- look(t, c, token) }()
		synctest.Wait()
		n.Changed(time.Now(), store.UserTag("u"))
		go func() { names <- look(t, c, token) }()
		synctest.Wait()
		for range 2 { // every lookup is overtaken
			n.Changed(time.Now(), store.UserTag("u"))
			step <- struct{}{}
			synctest.Wait()
		}
		for range 2 {
			if got := <-names; got != "Ada" {
				t.Error(got)
			}
		}
		wantAsked(t, s, token, 2)
		if got := c.Stats(); got.Entries != 0 || got.Discarded != 2 {
			t.Errorf("%+v", got)
		}
	})
}

var _ gate.Resolver = (*cached.Cache)(nil)
