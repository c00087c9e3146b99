// Package server is the life of the process: listeners, health, readiness, and a shutdown that answers nothing wrongly.
// It knows how to serve an http.Handler and a *grpc.Server, and nothing of what they decide. In front of the former may
// stand a Direct (direct.go), which answers what it knows on a connection until something else comes.
package server
