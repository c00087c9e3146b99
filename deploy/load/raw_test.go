//go:build linux

package load

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"
)

// looked is what a raw client of a store prints.
type looked struct {
	Count   int64
	Seconds float64
}

func (l looked) rate() float64 { return float64(l.Count) / l.Seconds }

// raw has this very program, as a process of its own, look sessions up without a gate for so many seconds.
func (w *world) raw(role string, seconds float64, args ...string) (found looked) {
	w.t.Helper()
	self, err := os.Executable()
	must(w.t, err)
	p := exec.Command(self, append(args, fmt.Sprint(seconds*w.second))...)
	p.Env = append(os.Environ(), "LOAD_ROLE="+role)
	out, err := p.Output()
	must(w.t, err)
	must(w.t, json.Unmarshal(out, &found))
	return found
}

// asFastAsItCan has 32 goroutines look up, with a number that is new each time, and prints how often they did. It ends
// the process, unless one of them fails.
func asFastAsItCan(seconds float64, lookUp func(n int) error) error {
	var next, done atomic.Int64
	var failed atomic.Pointer[error]
	var group sync.WaitGroup
	start := time.Now()
	for range 32 {
		group.Go(func() {
			for time.Since(start).Seconds() < seconds {
				if err := lookUp(int(next.Add(1))); err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	_ = json.NewEncoder(os.Stdout).Encode(looked{done.Load(), time.Since(start).Seconds()})
	os.Exit(0)
	return nil
}
