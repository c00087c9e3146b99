//go:build linux

package load

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
)

var (
	figures = flag.Bool("figures", false, "measure; without it, only look whether everything works")
	quick   = flag.Bool("quick", false, "a fifth of the time, and of the sessions")
	only    = flag.String("only", "", "`numbers` of budgets, as in 1,2,9")
	asJSON  = flag.Bool("json", false, "print the table as JSON")
)

// budget is a line of perf.md, section 3, or one without bounds, for planning.
type budget struct {
	what       string
	must, goal float64 // 0: there is none
	least      bool    // the bounds are the least there may be; otherwise the most
}

var budgets = map[int]budget{
	1:  {"cached gRPC checks/s ÷ bare grpc-go, one core", 1.5, 2.3, true},
	2:  {"its CPU per check ÷ bare", 0.7, 0.42, false},
	3:  {"cached HTTP checks/s ÷ bare net/http, one core", 0.75, 0.9, true},
	4:  {"CPU of Better Auth's get-session on Node ÷ ours over HTTP, database included", 25, 60, true},
	5:  {"decision in process, bytes in to bytes out ÷ what no gate can do without", 3, 1.5, false},
	6:  {"distinct misses/s ÷ a raw pgx pool of 8", 0.6, 0.9, true},
	7:  {"database CPU per missed lookup ÷ raw pgx", 1, 0.45, false},
	8:  {"lookups for simultaneous misses of one token", 1, 1, false},
	9:  {"p99 at 2000/s, open loop ÷ bare grpc-go", 1.5, 1, false},
	10: {"bytes of memory per cached session", 900, 400, false},
	11: {"CPU per check, most sessions ÷ a thousand", 1.4, 1.2, false},
	12: {"start to first right answer ÷ an empty Go server", 6, 3, false},
	13: {"MB in memory when idle", 45, 30, false},
	14: {"p50 that nginx's auth_request adds ÷ with a bare server", 1.2, 1.05, false},
	15: {"forged cookies refused/s ÷ bare grpc-go's answers", 0.9, 1, true},
	16: {what: "sessions in Redis: distinct misses/s ÷ raw go-redis"},
	17: {what: "misses/s answered by the shared cache ÷ by PostgreSQL"},
	18: {what: "p99 at 2000/s, open loop, people signing out, sessions in PostgreSQL ÷ bare grpc-go"},
}

// Result is one line of the table.
type Result struct {
	Budget  int
	What    string
	Figures string // what the value was made of
	Value   float64
	Must    float64
	Goal    float64
	Verdict string
}

// verdict compares a value with its bounds.
func (b budget) verdict(value float64) string {
	if b.must == 0 {
		return "no budget"
	}
	meets := func(bound float64) bool { return b.least && value >= bound || !b.least && value <= bound }
	switch {
	case meets(b.goal):
		return "goal"
	case meets(b.must):
		return "must"
	default:
		return "MISSED"
	}
}

// report gathers results.
type report struct{ results []Result }

func (r *report) add(number int, value float64, format string, args ...any) {
	b := budgets[number]
	r.results = append(r.results, Result{number, b.what, fmt.Sprintf(format, args...), value, b.must, b.goal, b.verdict(value)})
}

// also adds a line without bounds to those of a budget.
func (r *report) also(number int, what string, value float64, format string, args ...any) {
	r.results = append(r.results, Result{number, what, fmt.Sprintf(format, args...), value, 0, 0, budget{}.verdict(value)})
}

func (r *report) print(t testing.TB) {
	slices.SortStableFunc(r.results, func(a, b Result) int { return a.Budget - b.Budget })
	if *asJSON {
		text, err := json.MarshalIndent(r.results, "", "  ")
		must(t, err)
		fmt.Println(string(text))
		return
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "#\twhat\tfigures\tvalue\tmust\tgoal\tverdict")
	for _, line := range r.results {
		bounds := fmt.Sprintf("%.4g\t%.4g", line.Must, line.Goal)
		if line.Must == 0 {
			bounds = "–\t–"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%.2f\t%s\t%s\n", line.Budget, line.What, line.Figures, line.Value, bounds, line.Verdict)
	}
	must(t, w.Flush())
}

// measurements, each with the budgets it is for.
var measurements = []struct {
	budgets []int
	run     func(w *world, r *report)
}{
	{[]int{5}, decision},
	{[]int{12, 13}, start},
	{[]int{1, 2, 3, 15}, cachedChecks},
	{[]int{4}, betterAuth},
	{[]int{6, 7, 8}, misses},
	{[]int{14}, nginx},
	{[]int{9, 10, 11}, growth},
	{[]int{16}, redisSessions},
	{[]int{17}, sharedCache},
	{[]int{18}, mixed},
}

// TestFigures measures.
func TestFigures(t *testing.T) {
	wanted := map[int]bool{}
	for word := range strings.SplitSeq(*only, ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(word)); err == nil {
			wanted[n] = true
		} else if word != "" {
			t.Fatalf("-only %s: write numbers of budgets, as in 1,2,9", *only)
		}
	}
	w := newWorld(t)
	switch {
	case !*figures: // whether it works
		w.second, w.rounds, w.most, w.usual = 0.05, 1, 400, 400
		if len(wanted) == 0 {
			wanted = map[int]bool{1: true, 6: true, 9: true, 12: true, 14: true, 16: true, 17: true, 18: true}
		}
	case *quick:
		w.second, w.rounds, w.most, w.usual = 0.4, 3, 100_000, 20_000
	default:
		w.rounds, w.most, w.usual = 5, 1_000_000, 100_000
	}
	var r report
	for _, m := range measurements {
		if len(wanted) > 0 && !slices.ContainsFunc(m.budgets, func(n int) bool { return wanted[n] }) {
			continue
		}
		w.say("budgets %v", m.budgets)
		t.Run(fmt.Sprint(m.budgets), func(t *testing.T) {
			w.t = t // what is started ends with it
			m.run(w, &r)
		})
	}
	r.print(t)
	for _, line := range r.results {
		if *figures && line.Verdict == "MISSED" {
			missed++
		}
	}
}

// missed budgets make the program fail, and not the test: nobody wants to read what all the servers wrote.
var missed int

// median of some figures, by what of them counts.
func median[T any](all []T, of func(T) float64) float64 {
	values := make([]float64, len(all))
	for i, f := range all {
		values[i] = of(f)
	}
	slices.Sort(values)
	if len(values)%2 == 0 {
		return (values[len(values)/2-1] + values[len(values)/2]) / 2
	}
	return values[len(values)/2]
}

func rate(f figure) float64 { return f.rate }
func used(f figure) float64 { return f.cpu }
func half(f figure) float64 { return float64(f.p50.Nanoseconds()) }

func TestVerdicts(t *testing.T) {
	for number, cases := range map[int]map[float64]string{
		1: {2.3: "goal", 2.29: "must", 1.5: "must", 1.49: "MISSED"},
		2: {0.42: "goal", 0.43: "must", 0.7: "must", 0.71: "MISSED"},
		8: {1: "goal", 2: "MISSED"},

		16: {0: "no budget", 100: "no budget"},
	} {
		for value, want := range cases {
			if got := budgets[number].verdict(value); got != want {
				t.Errorf("budget %d at %v: %s, want %s", number, value, got, want)
			}
		}
	}
	if m := median([]figure{{rate: 3}, {rate: 1}, {rate: 2}}, rate); m != 2 {
		t.Errorf("median %v", m)
	}
}
