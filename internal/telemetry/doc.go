// Package telemetry is what an operator sees: the log, one line per decision, and the Prometheus metrics. It hands
// observers to the others, so that neither the gate nor the stores know a logger or a registry. It must never be given a
// credential: nothing here prints one, because nothing here holds one.
package telemetry
