package e2e

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// outages is what `make outage` prints when every fault is over.
var outages outageTable

// outageTable has a line for each fault that was suffered. The zero value is empty.
type outageTable struct {
	mu    sync.Mutex
	lines []outageLine
}

// outageLine is how one fault went.
type outageLine struct {
	test      string
	lasted    time.Duration // 0: it was given up before
	tally     tally
	recovered time.Duration // after the server's return, until nobody with a session was refused any more
	ready     int           // what /readyz said at its end
	failed    bool
}

func (o *outageTable) add(t *testing.T, line outageLine) {
	o.mu.Lock()
	defer o.mu.Unlock()
	line.failed = t.Failed()
	o.lines = append(o.lines, line)
}

func (o *outageTable) print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "fault\tlasted\tasked\t200\t302\t401\t503\tslowest\twell after\t/readyz\t")
	for _, l := range o.lines {
		how := "ok"
		if l.failed || l.lasted == 0 {
			how = "FAILED"
		}
		fmt.Fprintf(w, "%s\t%v\t%d\t%d\t%d\t%d\t%d\t%v\t%v\t%d\t%s\n", strings.ReplaceAll(strings.TrimPrefix(l.test, "Test"), "_", " "),
			l.lasted.Round(100*time.Millisecond), l.tally.asked, l.tally.status[200], l.tally.status[302], l.tally.status[401], l.tally.status[503],
			l.tally.slowest.Round(time.Millisecond), l.recovered.Round(time.Millisecond), l.ready, how)
	}
	_ = w.Flush()
}

// tally counts answers.
type tally struct {
	asked   int
	status  map[int]int
	reasons map[string]int // of 503
	slowest time.Duration
}

func count(outcomes []outcome) tally {
	c := tally{asked: len(outcomes), status: map[int]int{}, reasons: map[string]int{}}
	for _, o := range outcomes {
		c.status[o.status]++
		if o.status == 503 {
			c.reasons[o.reason]++
		}
		c.slowest = max(c.slowest, o.took)
	}
	return c
}

func (c tally) String() string {
	return fmt.Sprintf("%d asked, 200: %d, 302: %d, 401: %d, 503: %d %v, slowest %v",
		c.asked, c.status[200], c.status[302], c.status[401], c.status[503], c.reasons, c.slowest.Round(time.Millisecond))
}
