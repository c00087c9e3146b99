package telemetry

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/gate"
)

// Shares are how many of the decisions get a log line, from 0 to 1. Metrics count all of them.
type Shares struct {
	Allowed float64
	Refused float64
}

// Observer makes the function a gate tells its decisions: it counts each in m and writes the sampled line. A decision
// that could not be made is an error line, whatever the shares: it is what an operator is woken for. But there are
// mostLines a second at most, for a line costs as much as a decision, and strangers decide how many refusals there are;
// the next line says how many were left out.
func Observer(log *slog.Logger, m *Metrics, shares Shares) func(*gate.Request, gate.Decision, time.Duration) {
	allowed, refused, pace := &sampler{share: shares.Allowed}, &sampler{share: shares.Refused}, new(pace)
	return func(r *gate.Request, d gate.Decision, took time.Duration) {
		m.decision(r.Edge, d, took)
		if d.Caller != "" {
			m.internal(d)
			audit(log, internalUse(r, d))
		}
		level, sample := slog.LevelInfo, refused
		switch d.Verdict {
		case gate.Allow:
			sample = allowed
		case gate.Unavailable:
			level, sample = slog.LevelError, nil
		}
		if d.Reason == gate.UntrustedProxy {
			level = slog.LevelWarn
		}
		if !log.Enabled(context.Background(), level) || sample != nil && !sample.take() {
			return
		}
		leftOut, ok := pace.take(time.Now())
		if !ok {
			return
		}
		attrs := attributes(r, d, took)
		if leftOut > 0 {
			attrs = append(attrs, slog.Uint64("left_out", leftOut))
		}
		log.LogAttrs(context.Background(), level, "decision", attrs...)
	}
}

// mostLines is how many decisions are logged in a second.
const mostLines = 500

// pace counts the lines of a second. Two that come when the next one begins may both begin it: then it has a few more.
type pace struct {
	second  atomic.Int64
	lines   atomic.Int64
	leftOut atomic.Uint64
}

// take reports whether there may be one more line, and how many were left out before it.
func (p *pace) take(now time.Time) (leftOut uint64, ok bool) {
	if second := now.Unix(); p.second.Load() != second {
		p.second.Store(second)
		p.lines.Store(0)
	}
	if p.lines.Add(1) > mostLines {
		p.leftOut.Add(1)
		return 0, false
	}
	return p.leftOut.Swap(0), true
}

// attributes describe one decision. What the client wrote is shortened; the handlers escape it.
func attributes(r *gate.Request, d gate.Decision, took time.Duration) []slog.Attr {
	path, _, _ := strings.Cut(r.Target, "?") // a query may hold secrets: reset links, callback codes
	attrs := append(make([]slog.Attr, 0, 16),
		slog.String("edge", r.Edge),
		slog.String("verdict", d.Verdict.String()),
		slog.String("reason", string(d.Reason)),
		slog.String("rule", d.Rule),
		slog.String("method", shorten(r.Method, 32)),
		slog.String("host", shorten(r.Host, 255)),
		slog.String("path", shorten(path, 512)),
		slog.Int64("took_us", took.Microseconds()),
	)
	if r.Client.IsValid() {
		attrs = append(attrs, slog.String("client", r.Client.String()))
	}
	if r.ID != "" {
		attrs = append(attrs, slog.String("request_id", shorten(r.ID, 128)))
	}
	for _, fact := range d.Facts() {
		if fact.Name != "reason" && fact.Value != "" {
			attrs = append(attrs, slog.String(fact.Name, fact.Value))
		}
	}
	if d.Err != nil {
		attrs = append(attrs, slog.String("error", d.Err.Error()))
	}
	return attrs
}

// internalUse describes what an internal caller did, or was refused. There is a line for each, never sampled or left out:
// only who holds a caller's token or certificate can bring one about.
func internalUse(r *gate.Request, d gate.Decision) []slog.Attr {
	path, _, _ := strings.Cut(r.Target, "?")
	attrs := append(make([]slog.Attr, 0, 14), slog.String("action", "internal"), slog.String("caller", d.Caller))
	add := func(name, value string, most int) {
		if value != "" {
			attrs = append(attrs, slog.String(name, shorten(value, most)))
		}
	}
	user, organization := r.User, r.Organization // as they were asked for, which is all there is of what was refused
	if d.Verdict == gate.Allow {
		user, organization = "", ""
	}
	if d.Principal != nil {
		user = d.Principal.User.ID
	}
	if d.Membership != nil {
		organization = d.Membership.OrganizationID
	}
	add("user_id", user, 128)
	add("org_id", organization, 128)
	add("rule", d.Rule, 128)
	add("method", r.Method, 32)
	add("host", r.Host, 255)
	add("path", path, 512)
	add("verdict", d.Verdict.String(), 32)
	add("reason", string(d.Reason), 64)
	add("edge", r.Edge, 32)
	if r.Client.IsValid() {
		add("client", r.Client.String(), 64)
	}
	add("request_id", r.ID, 128)
	return attrs
}

// Shorten is as much of an outside word as a log line repeats.
func Shorten(s string) string { return shorten(s, 128) }

func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// sampler takes an even share of what it is asked, without randomness: of share 0.01 every hundredth.
type sampler struct {
	share float64
	seen  atomic.Uint64
}

func (s *sampler) take() bool {
	n := s.seen.Add(1)
	return uint64(float64(n)*s.share) != uint64(float64(n-1)*s.share)
}
