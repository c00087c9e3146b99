//go:build linux

package load

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// question is one request as bytes, and what is expected of the answer.
type question struct {
	message []byte        // valid until the next question is made
	allowed bool          // whether it must pass
	open    *atomic.Int32 // counts one less when it is answered; nil: nobody counts
}

// protocol is one connection's way of asking. Neither function blocks.
type protocol interface {
	// hello is sent first.
	hello() []byte
	// ask appends a request to out; the slot comes back from read. It is not called for more than room allows.
	ask(out []byte, q *question, slot uint32) []byte
	// room is how many more requests of this size may be asked now.
	room(size int) int
	// read takes whole pieces off what came in and reports answers. What has to be sent back is appended to out.
	read(in, out []byte, answered func(slot uint32, allowed bool)) (rest, _ []byte, err error)
}

// lane is one connection.
type lane struct {
	protocol
	fd      int
	in, out []byte
	asked   []pending // by slot
	unused  []uint32  // slots
	open    int       // requests under way
}

type pending struct {
	due     time.Time // when it was to be sent
	allowed bool
	open    *atomic.Int32
	waiting *question // not sent yet: the connection had no room. A copy.
}

// engine is the generator. It belongs to one goroutine.
type engine struct {
	epoll int
	lanes []*lane
	next  func(*question)
	room  [64 << 10]byte

	took  histogram
	done  int
	wrong int  // answers that were not what was expected
	timed bool // whether took counts
}

// newEngine connects n lanes.
func newEngine(address string, n int, speak func() protocol, next func(*question)) (*engine, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	e := &engine{epoll: epoll, next: next}
	for i := range n {
		fd, err := dial(address)
		if err != nil {
			e.close()
			return nil, err
		}
		l := &lane{protocol: speak(), fd: fd}
		l.out = append(l.out, l.hello()...)
		e.lanes = append(e.lanes, l)
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)}
		if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
			e.close()
			return nil, err
		}
	}
	return e, nil
}

func dial(address string) (int, error) {
	var a, b, c, d byte
	var port int
	if _, err := fmt.Sscanf(address, "%d.%d.%d.%d:%d", &a, &b, &c, &d, &port); err != nil {
		return 0, fmt.Errorf("%s: %w", address, err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{a, b, c, d}}); err != nil {
		_ = syscall.Close(fd)
		return 0, fmt.Errorf("%s: %w", address, err)
	}
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	return fd, syscall.SetNonblock(fd, true)
}

func (e *engine) close() {
	for _, l := range e.lanes {
		_ = syscall.Close(l.fd)
	}
	_ = syscall.Close(e.epoll)
}

// ask makes the next question and sends it on a lane.
func (e *engine) ask(l *lane, due time.Time) {
	var q question
	e.next(&q)
	slot := uint32(len(l.asked))
	if n := len(l.unused); n > 0 {
		slot, l.unused = l.unused[n-1], l.unused[:n-1]
	} else {
		l.asked = append(l.asked, pending{})
	}
	p := pending{due: due, allowed: q.allowed, open: q.open}
	l.open++
	if l.room(len(q.message)) > 0 {
		l.out = l.ask(l.out, &q, slot)
	} else {
		p.waiting = &question{message: append([]byte(nil), q.message...), allowed: q.allowed}
	}
	l.asked[slot] = p
}

// flush writes what the socket takes.
func (l *lane) flush() error {
	for len(l.out) > 0 {
		n, err := syscall.Write(l.fd, l.out)
		switch {
		case errors.Is(err, syscall.EAGAIN): // the rest goes with the next round
			return nil
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return err
		}
		l.out = l.out[:copy(l.out, l.out[n:])]
	}
	return nil
}

// hear reads what is there and, while again is set, asks anew for each answer.
func (e *engine) hear(l *lane, again bool) error {
	n, err := syscall.Read(l.fd, e.room[:])
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return nil
	case err != nil:
		return err
	case n == 0:
		return errors.New("the server closed a connection")
	}
	l.in = append(l.in, e.room[:n]...)
	now := time.Now()
	answers := 0
	rest, out, err := l.read(l.in, l.out, func(slot uint32, allowed bool) {
		p := &l.asked[slot]
		if e.timed {
			e.took.add(now.Sub(p.due))
		}
		if allowed != p.allowed {
			e.wrong++
		}
		if p.open != nil {
			p.open.Add(-1)
		}
		e.done++
		answers++
		l.open--
		l.unused = append(l.unused, slot)
	})
	l.in, l.out = l.in[:copy(l.in, rest)], out
	if err != nil {
		return err
	}
	for slot := range l.asked {
		if p := &l.asked[slot]; p.waiting != nil && l.room(len(p.waiting.message)) > 0 {
			l.out = l.ask(l.out, p.waiting, uint32(slot))
			p.waiting = nil
		}
	}
	if again {
		for range answers {
			e.ask(l, now)
		}
	}
	return l.flush()
}

// turn waits for what comes, at most so many milliseconds, and hears it.
func (e *engine) turn(wait int, again bool) error {
	var events [64]syscall.EpollEvent
	n, err := syscall.EpollWait(e.epoll, events[:], wait)
	if err != nil && !errors.Is(err, syscall.EINTR) {
		return err
	}
	for i := range max(n, 0) {
		if err := e.hear(e.lanes[events[i].Fd], again); err != nil {
			return err
		}
	}
	return nil
}

// outcome is what one measurement found.
type outcome struct {
	took  time.Duration // all of it
	done  int
	wrong int
	hist  *histogram
}

func (o outcome) rate() float64 { return float64(o.done) / o.took.Seconds() }

// closed keeps so many requests under way for d. Each answer is followed by the next question at once.
func (e *engine) closed(inFlight int, d time.Duration) (outcome, error) {
	defer e.close()
	e.timed = true
	start := time.Now()
	for i := range inFlight {
		e.ask(e.lanes[i%len(e.lanes)], start)
	}
	for _, l := range e.lanes {
		if err := l.flush(); err != nil {
			return outcome{}, err
		}
	}
	for time.Since(start) < d {
		if err := e.turn(100, true); err != nil {
			return outcome{}, err
		}
	}
	return e.outcome(time.Since(start)), nil
}

// each asks every question once, so many at a time, and stops after d in any case.
func (e *engine) each(n, inFlight int, d time.Duration) (outcome, error) {
	defer e.close()
	start := time.Now()
	asked := 0
	for asked < n && asked < inFlight {
		e.ask(e.lanes[asked%len(e.lanes)], start)
		asked++
	}
	for e.done < n && time.Since(start) < d {
		for _, l := range e.lanes {
			if err := l.flush(); err != nil {
				return outcome{}, err
			}
		}
		before := e.done
		if err := e.turn(100, false); err != nil {
			return outcome{}, err
		}
		for range e.done - before {
			if asked < n {
				e.ask(e.lanes[asked%len(e.lanes)], start)
				asked++
			}
		}
	}
	return e.outcome(time.Since(start)), nil
}

// open sends so many requests a second, as strangers do: when one comes does not depend on any other, nor on whether the
// server has answered. It spins, for a timer is late by more than what is measured.
func (e *engine) open(perSecond float64, warm, d time.Duration) (outcome, error) {
	defer e.close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := time.Now()
	due, turn := start, 0
	counted := 0
	for {
		now := time.Now()
		if !e.timed && now.Sub(start) >= warm {
			e.timed, counted = true, e.done
		}
		if now.Sub(start) >= warm+d {
			break
		}
		for !due.After(now) {
			l := e.lanes[turn%len(e.lanes)]
			turn++
			e.ask(l, due)
			if err := l.flush(); err != nil {
				return outcome{}, err
			}
			due = due.Add(time.Duration(rand.ExpFloat64() / perSecond * float64(time.Second)))
		}
		if err := e.turn(0, false); err != nil {
			return outcome{}, err
		}
	}
	for late := time.Now(); e.underway() > 0 && time.Since(late) < 5*time.Second; { // the slowest count too
		if err := e.turn(100, false); err != nil {
			return outcome{}, err
		}
	}
	if left := e.underway(); left > 0 {
		return outcome{}, fmt.Errorf("%d requests were not answered within 5 s", left)
	}
	o := e.outcome(d)
	o.done -= counted
	return o, nil
}

func (e *engine) underway() (n int) {
	for _, l := range e.lanes {
		n += l.open
	}
	return n
}

func (e *engine) outcome(took time.Duration) outcome {
	return outcome{took: took, done: e.done, wrong: e.wrong, hist: &e.took}
}
