package boot

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/usherauth/usher/internal/telemetry"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/oauth/account"
	"github.com/usherauth/usher/oauth/session"
)

// audit writes one line for whatever people do to accounts and sessions, and counts it. Such lines are never sampled,
// are written at every level, and hold ids and addresses, but nothing that opens anything.
type audit struct {
	log                                      *slog.Logger
	signedIn, signedUp, refused, linked, out atomic.Uint64
}

func newAudit(log *slog.Logger, metrics *telemetry.Metrics) *audit {
	a := &audit{log: log}
	for name, one := range map[string]struct {
		help  string
		count *atomic.Uint64
	}{
		"usher_sign_ins_total":         {"Sign-ins by people who were known.", &a.signedIn},
		"usher_sign_ups_total":         {"Sign-ins that made a user.", &a.signedUp},
		"usher_sign_in_refusals_total": {"Sign-ins and links that were refused; the audit log says why.", &a.refused},
		"usher_account_links_total":    {"Accounts that people linked to their user.", &a.linked},
		"usher_sign_outs_total":        {"Sign-outs and revocations through Usher.", &a.out},
	} {
		metrics.Counter(name, one.help, func() float64 { return float64(one.count.Load()) })
	}
	return a
}

func (a *audit) signIn(e oauth.Event) {
	switch e.Kind {
	case oauth.SignedIn:
		a.signedIn.Add(1)
	case oauth.SignedUp:
		a.signedUp.Add(1)
	case oauth.Linked:
		a.linked.Add(1)
	case oauth.Refused:
		a.refused.Add(1)
	}
	telemetry.Audit(a.log, string(e.Kind), "provider", e.Provider, "user_id", e.UserID, "account_id", e.Account, "session_id", e.Session, "reason", e.Reason, "client", e.Address)
}

func (a *audit) session(_ context.Context, e session.Event) {
	a.out.Add(1)
	telemetry.Audit(a.log, e.Action, "user_id", e.UserID, "session_id", e.Session, "target_session_id", e.Target, "client", e.Client)
}

func (a *audit) account(_ context.Context, e account.Event) {
	telemetry.Audit(a.log, e.Action, "provider", e.Provider, "user_id", e.UserID, "account_id", e.Account, "session_id", e.Session, "client", e.Client)
}
