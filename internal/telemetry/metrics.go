package telemetry

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/usherauth/usher/gate"
)

// Metrics are Usher's own, in a registry of their own. docs/operations.md lists them.
type Metrics struct {
	registry      *prometheus.Registry
	decisions     *prometheus.CounterVec
	decisionTime  *prometheus.HistogramVec
	internalUses  *prometheus.CounterVec
	storeRequests *prometheus.CounterVec
	storeTime     prometheus.Histogram

	adding sync.Mutex
	known  atomic.Pointer[map[kind]instruments] // replaced, never changed: every decision reads it
}

// kind is what decisions are told apart by. There are few: every word is ours.
type kind struct {
	edge    string
	verdict gate.Verdict
	reason  gate.Reason
}

// instruments are where one kind of decision is counted. Finding them by their labels costs more than counting.
type instruments struct {
	total prometheus.Counter
	took  prometheus.Observer
}

// fast are bucket bounds in seconds for something that takes microseconds from memory and milliseconds from a database.
var fast = []float64{25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2}

// NewMetrics makes the registry. Version and commit name the build in usher_build_info.
func NewMetrics(version, commit string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usher_decisions_total", Help: "Decisions by edge, verdict and reason.",
		}, []string{"edge", "verdict", "reason"}),
		decisionTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "usher_decision_duration_seconds", Help: "Time to decide, the store's answer included.", Buckets: fast,
		}, []string{"edge"}),
		internalUses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usher_internal_requests_total", Help: "Requests of internal callers by caller and verdict.",
		}, []string{"caller", "verdict"}),
		storeRequests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usher_store_requests_total", Help: "Session lookups by result: found, none, error, timeout.",
		}, []string{"result"}),
		storeTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "usher_store_duration_seconds", Help: "Time of a session lookup.", Buckets: fast,
		}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "usher_build_info", Help: "1, with the build as labels.",
		ConstLabels: prometheus.Labels{"version": version, "commit": commit},
	})
	build.Set(1)
	m.registry.MustRegister(m.decisions, m.decisionTime, m.internalUses, m.storeRequests, m.storeTime, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// decision counts one. Labels are ours, never a client's words.
func (m *Metrics) decision(edge string, d gate.Decision, took time.Duration) {
	k := kind{edge, d.Verdict, d.Reason}
	var i instruments
	known, ok := m.known.Load(), false
	if known != nil {
		i, ok = (*known)[k]
	}
	if !ok {
		i = m.add(k)
	}
	i.total.Inc()
	i.took.Observe(took.Seconds())
}

// internal counts a use by an internal caller. There are as many of them as the configuration names.
func (m *Metrics) internal(d gate.Decision) {
	m.internalUses.WithLabelValues(d.Caller, d.Verdict.String()).Inc()
}

// add finds the instruments of a kind that was not seen before.
func (m *Metrics) add(k kind) instruments {
	m.adding.Lock()
	defer m.adding.Unlock()
	i := instruments{
		total: m.decisions.WithLabelValues(k.edge, k.verdict.String(), string(k.reason)),
		took:  m.decisionTime.WithLabelValues(k.edge),
	}
	more := map[kind]instruments{k: i}
	if known := m.known.Load(); known != nil {
		maps.Copy(more, *known)
	}
	m.known.Store(&more)
	return i
}

// Resolver measures the lookups of next.
func (m *Metrics) Resolver(next gate.Resolver) gate.Resolver { return measured{next, m} }

type measured struct {
	next gate.Resolver
	m    *Metrics
}

func (s measured) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	start := time.Now()
	p, err := s.next.Resolve(ctx, c)
	result := "found"
	switch {
	case errors.Is(err, gate.ErrNoSession):
		result = "none"
	case err != nil && (errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil): // as the gate tells them apart
		result = "timeout"
	case err != nil:
		result = "error"
	}
	s.m.storeRequests.WithLabelValues(result).Inc()
	s.m.storeTime.Observe(time.Since(start).Seconds())
	return p, err
}
