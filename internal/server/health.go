package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// Check asks one dependency whether it answers; nil is yes. Its error's text is shown to whoever may read /readyz.
type Check struct {
	Name string
	Ask  func(context.Context) error
}

// Note is a state that an operator should know and that keeps nobody from being answered. It is shown to whoever may read
// /readyz.
type Note struct {
	Name string
	Say  func() string // must not block
}

// Health is what /healthz, /readyz and grpc.health.v1 say. Safe for concurrent use.
type Health struct {
	GRPC   *health.Server // register it on the gRPC server
	checks []Check
	notes  []Note

	draining atomic.Bool
	mu       sync.Mutex // one question at a time, so that a flood of probes is one question to the store
	asked    time.Time
	last     map[string]string
	ready    bool
}

// NewHealth makes a Health that is ready when every check is.
func NewHealth(checks ...Check) *Health {
	h := &Health{GRPC: health.NewServer(), checks: checks}
	h.serving(false)
	return h
}

// Note adds to what /readyz says. Call it before anybody asks.
func (h *Health) Note(n Note) { h.notes = append(h.notes, n) }

// Answered takes note that every check has just said yes, to whoever opened what it asks. So nobody is asked again while
// the first requests come.
func (h *Health) Answered() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked, h.ready, h.last = time.Now(), true, make(map[string]string, len(h.checks))
	for _, check := range h.checks {
		h.last[check.Name] = "ok"
	}
}

// Drain says "not ready" from now on, whatever the checks say.
func (h *Health) Drain() {
	h.draining.Store(true)
	h.serving(false)
}

func (h *Health) serving(yes bool) {
	status := grpc_health_v1.HealthCheckResponse_NOT_SERVING
	if yes {
		status = grpc_health_v1.HealthCheckResponse_SERVING
	}
	h.GRPC.SetServingStatus("", status)
	h.GRPC.SetServingStatus("envoy.service.auth.v3.Authorization", status)
}

// Watch keeps the gRPC health status true until ctx ends: nobody asks it for a reason, so it has to be told. Changed, if
// set, hears of every check that begins to fail, with its error, or answers again; what fails from the start was said by
// whoever started it.
func (h *Health) Watch(ctx context.Context, changed func(check string, err error)) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	failing := make(map[string]bool)
	for first := true; ; first = false {
		ready, said := h.state(ctx)
		if h.draining.Load() {
			return
		}
		h.serving(ready)
		for _, check := range h.checks {
			bad := said[check.Name] != "ok"
			if bad != failing[check.Name] && changed != nil && !first {
				var err error
				if bad {
					err = errors.New(said[check.Name])
				}
				changed(check.Name, err)
			}
			failing[check.Name] = bad
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// state asks the checks, at most twice a second.
func (h *Health) state(ctx context.Context) (bool, map[string]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.asked) < 500*time.Millisecond {
		return h.ready, h.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	ready, said := true, make(map[string]string, len(h.checks))
	for _, check := range h.checks {
		said[check.Name] = "ok"
		if err := check.Ask(ctx); err != nil {
			ready, said[check.Name] = false, err.Error()
		}
	}
	h.asked, h.ready, h.last = time.Now(), ready, said
	return ready, said
}

// Ready is /readyz: 200 when every check answers, 503 with the name of what does not. Notes stand beside the checks and
// change nothing: a gate that is slower to hear of revocations is still to be asked.
func (h *Health) Ready(w http.ResponseWriter, r *http.Request) {
	if h.draining.Load() {
		writeJSON(w, http.StatusServiceUnavailable, map[string]any{"status": "draining"})
		return
	}
	ready, checks := h.state(r.Context())
	status, code := "ready", http.StatusOK
	if !ready {
		status, code = "not ready", http.StatusServiceUnavailable
	}
	said := map[string]any{"status": status, "checks": checks}
	for _, note := range h.notes {
		said[note.Name] = note.Say()
	}
	writeJSON(w, code, said)
}

// Live is /healthz: the process runs and answers.
func (h *Health) Live(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"status": "ok"})
}

// Ops is the operators' listener: /healthz, /readyz and /metrics, nothing else.
func Ops(h *Health, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", h.Live)
	mux.HandleFunc("GET /readyz", h.Ready)
	mux.Handle("GET /metrics", metrics)
	return mux
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the caller is gone when this fails
}
