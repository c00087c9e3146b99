package gate

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for it, wait := range map[string]func(ctx context.Context){
			"waiting":            func(ctx context.Context) { <-ctx.Done() },
			"waiting in a child": func(ctx context.Context) { child, cancel := context.WithCancel(ctx); defer cancel(); <-child.Done() },
			"waiting with longer": func(ctx context.Context) {
				child, cancel := context.WithTimeout(ctx, time.Hour)
				defer cancel()
				<-child.Done()
			},
			"AfterFunc": func(ctx context.Context) {
				called := make(chan struct{})
				context.AfterFunc(ctx, func() { close(called) })
				<-called
			},
		} {
			start := time.Now()
			d := within(t.Context(), time.Second)
			if at, ok := d.Deadline(); !ok || at.Sub(start) != time.Second {
				t.Errorf("%s: the deadline is %s, %v", it, at, ok)
			}
			time.Sleep(300 * time.Millisecond) // nobody waits yet
			if d.Err() != nil || d.timed != nil {
				t.Errorf("%s: before: %v, timer %v", it, d.Err(), d.timed)
			}
			wait(d)
			if took := time.Since(start); took != time.Second || !errors.Is(d.Err(), context.DeadlineExceeded) {
				t.Errorf("%s: %v after %s", it, d.Err(), took)
			}
			d.end()
		}

		d := within(t.Context(), time.Second)
		time.Sleep(time.Second)
		if !errors.Is(d.Err(), context.DeadlineExceeded) {
			t.Errorf("nobody waited, and it is over: %v", d.Err())
		}
		select {
		case <-d.Done():
		default:
			t.Error("over, but not done")
		}
		d.end()
	})
}

func TestDeadlineFollowsItsCaller(t *testing.T) {
	type key struct{}
	parent, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "v"), time.Minute)
	d := within(parent, time.Hour)
	at, _ := parent.Deadline()
	if got, ok := d.Deadline(); !ok || !got.Equal(at) || d.Value(key{}) != "v" {
		t.Errorf("deadline %s, value %v", got, d.Value(key{}))
	}
	if d.timed != nil {
		t.Error("a value started the timer")
	}
	late := within(parent, time.Hour)
	cancel()
	if !errors.Is(d.Err(), context.Canceled) {
		t.Errorf("the caller left: %v", d.Err())
	}
	<-late.Done()
	if !errors.Is(late.Err(), context.Canceled) {
		t.Errorf("the caller left before: %v", late.Err())
	}
}

func TestDeadlineEnds(t *testing.T) {
	waiting := within(t.Context(), time.Hour)
	child, cancel := context.WithCancel(waiting)
	defer cancel()
	waiting.end()
	<-child.Done()
	waiting.end() // twice is once

	unused := within(t.Context(), time.Hour)
	unused.end()
	<-unused.Done() // whoever comes late is not kept waiting
	if !errors.Is(unused.Err(), context.Canceled) {
		t.Errorf("after its end: %v", unused.Err())
	}

	var group sync.WaitGroup
	shared := within(t.Context(), time.Hour)
	for range 8 {
		group.Go(func() { <-shared.Done() })
		group.Go(func() { _ = shared.Err() })
	}
	shared.end()
	group.Wait()
}
