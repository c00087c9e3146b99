package cached_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/cached"
)

// TestEverythingAtOnce: many ask while others change what they ask for. Whoever asks after a change was told never sees
// what was there before it, whatever else happens at the same time.
func TestEverythingAtOnce(t *testing.T) {
	const people = 8
	s := newSource(make(map[string]*gate.Principal))
	row := func(i, version int) *gate.Principal {
		p := person(strconv.Itoa(version))
		p.User.ID = fmt.Sprint("u", i)
		return p
	}
	for i := range people {
		s.set(numbered(i), row(i, 1))
	}
	config := ordinary()
	config.ObserveLag = func(time.Duration) {}
	config.ObserveRevocation = func(r cached.Revocation) { _ = r.String() }
	c := open(t, s, config)
	n := c.Channel("test")
	n.Complete(time.Now())

	s.holdUp(func(context.Context, string) error { runtime.Gosched(); return nil })

	var told [people]atomic.Int64 // version that every later answer must have reached
	var answers atomic.Int64
	var done atomic.Bool
	var writers, readers sync.WaitGroup
	for i := range people {
		writers.Go(func() {
			for version := 2; version < 300; version++ {
				switch {
				case version%50 == 0:
					s.set(numbered(i), nil)
				default:
					s.set(numbered(i), row(i, version))
				}
				switch version % 7 {
				case 0:
					n.Changed(time.Now(), store.SessionTag(numbered(i)))
				case 1:
					n.ChangedAll()
				case 2:
					c.Drop(numbered(i))
				case 3:
					n.Incomplete(errors.New("lost"))
					n.Complete(time.Now())
				default:
					if version%50 == 0 || version%50 == 1 { // nobody depends on no user
						n.Changed(time.Now(), store.SessionTag(numbered(i)))
					}
					n.Changed(time.Now(), store.UserTag(fmt.Sprint("u", i)))
				}
				told[i].Store(int64(version))
				for enough := answers.Load() + 10; answers.Load() < enough; {
					runtime.Gosched()
				}
			}
		})
	}
	for r := range 8 {
		readers.Go(func() {
			for j := r; !done.Load(); j++ {
				i := j % people
				least := told[i].Load()
				p, err := c.Resolve(t.Context(), proven(numbered(i)))
				answers.Add(1)
				if errors.Is(err, gate.ErrNoSession) {
					if reached := told[i].Load(); least%50 != 0 && least/50 == (reached+1)/50 {
						t.Errorf("nobody, and there was somebody from version %d to %d", least, reached+1)
					}
					continue
				}
				if err != nil {
					t.Error(err)
					continue
				}
				if got, _ := strconv.ParseInt(p.User.Name, 10, 64); got < least {
					t.Errorf("answered with version %d after %d was told", got, least)
				}
				if j%97 == 0 {
					_, _ = c.Stats(), c.Revocation()
				}
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
	if got := c.Stats(); got.Hits == 0 || got.Misses < 100 || got.Collapsed == 0 {
		t.Errorf("nothing happened at once: %+v", got)
	}
}
