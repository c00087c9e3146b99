package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What others count is published here: they hand over a function that is asked when the metrics are read, so that they
// need not know of Prometheus. Each name may be published once.

// Gauge publishes a value that goes up and down.
func (m *Metrics) Gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// Counter publishes a count that only grows.
func (m *Metrics) Counter(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value))
}

// CounterBy publishes one of several counts of the same name, which a label tells apart. Its words are ours, and few.
func (m *Metrics) CounterBy(name, help, label, word string, value func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: name, Help: help, ConstLabels: prometheus.Labels{label: word},
	}, value))
}

// lags are bucket bounds in seconds for news that should take milliseconds and must not take more than a second.
var lags = []float64{1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// Lag makes a histogram of how late news arrive, and returns what counts them in.
func (m *Metrics) Lag(name, help string) func(time.Duration) {
	histogram := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: lags})
	m.registry.MustRegister(histogram)
	return func(late time.Duration) { histogram.Observe(max(late, 0).Seconds()) }
}
