package e2e

import (
	"fmt"
	"testing"
	"time"
)

// leaves is the kind of the one client whose session ends during the fault.
const leaves = "leaves"

// times are when the fault began, when somebody signed out, when the server was let go, and when it served again.
type times struct{ began, left, ending, back time.Time }

// judge demands of every single answer what must hold, and returns how long after the server's return somebody with a
// session was last refused.
func judge(t *testing.T, f fault, when times, outcomes []outcome) (recovered time.Duration) {
	t.Helper()
	complaints := map[string]int{}
	complain := func(o outcome, what string) {
		complaints[fmt.Sprintf("%s, %s: %s (%d %v, %s)", o.client.kind, o.edge, what, o.status, o.err, o.phase(when))]++
	}
	passed := 0
	for _, o := range outcomes {
		if !o.allowed {
			complain(o, "an answer that nothing excuses")
		}
		if o.status == 503 && f.reason != "" && o.reason != f.reason {
			complain(o, "the reason "+o.reason)
		}
		if o.took > patience+noise {
			complain(o, fmt.Sprintf("took %v", o.took.Round(100*time.Millisecond)))
		}
		if o.client.kind == leaves {
			if o.status == 200 && o.began.After(when.left.Add(f.leaving)) {
				complain(o, fmt.Sprintf("passed more than %v after signing out", f.leaving))
			}
			if o.status == 401 && o.began.Add(o.took).Before(when.left.Add(-noise)) {
				complain(o, "refused before signing out")
			}
			// He was loaded a second ago, when others may have been too long in memory for a silence.
			if o.calm && o.began.After(when.began) && o.began.Before(when.left) {
				passed++
			}
			continue
		}
		if !o.calm && (o.began.Add(o.took).Before(when.began) || f.harmless) {
			complain(o, "nothing was wrong")
		}
		if !o.client.session {
			continue
		}
		if o.began.After(when.began) && o.began.Before(when.back) && o.calm {
			passed++
			if f.silent && o.began.After(when.began.Add(unnotified+noise)) && o.began.Add(o.took).Before(when.ending) {
				complain(o, "remembered for too long")
			}
		}
		if !o.calm && o.began.After(when.back) {
			recovered = max(recovered, o.began.Sub(when.back))
		}
	}
	if recovered > recovery {
		t.Errorf("%v after the server's return somebody with a session was still refused", recovered)
	}
	if passed == 0 {
		t.Errorf("nobody with a session passed during the fault")
	}
	for what, n := range complaints {
		t.Errorf("%d times: %s", n, what)
	}
	return recovered
}

func (o *outcome) phase(when times) string {
	switch {
	case o.began.Before(when.began):
		return "before"
	case o.began.Before(when.back):
		return "during"
	default:
		return "after"
	}
}
