package cached_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store/cached"
)

// memory is a resolver that answers from a memory of its own.
type memory struct {
	asked int
	age   time.Duration
}

func (m *memory) ResolveDated(context.Context, gate.Credential) (*gate.Principal, time.Time, error) {
	m.asked++
	return person("Ada"), time.Now().Add(-m.age), nil
}

func (m *memory) Resolve(context.Context, gate.Credential) (*gate.Principal, error) {
	return nil, errors.New("asked without a date")
}

// What comes from a memory behind this one is as old here as it was there: ages do not add up.
func TestAgeIsThatOfTheMemoryBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{age: 40 * time.Second}
		c := cached.New(m, cached.Config{Size: 10, TTL: time.Minute, TTLUnnotified: 2 * time.Second})
		defer c.Close()
		n := c.Channel("test")
		for _, step := range []struct {
			what string
			wait time.Duration
			want int
		}{
			{"at first", 0, 1},
			{"after 19 s", 19 * time.Second, 1},
			{"after 20 s", time.Second, 2},
		} {
			time.Sleep(step.wait)
			n.Complete(time.Now())
			if _, err := c.Resolve(t.Context(), proven(token)); err != nil {
				t.Fatal(err)
			}
			if m.asked != step.want {
				t.Errorf("%s it was asked %d times, and was to be asked %d times", step.what, m.asked, step.want)
			}
		}
		n.Incomplete(errors.New("lost"))
		if _, err := c.Resolve(t.Context(), proven(token)); err != nil {
			t.Fatal(err)
		}
		if m.asked != 3 {
			t.Errorf("without notices, an answer of 40 s counts for two more: asked %d times", m.asked)
		}
	})
}
