// Package server is the life of the process: listeners, health, readiness, and a shutdown that answers nothing wrongly.
// It knows how to serve an http.Handler and a *grpc.Server, and nothing of what they decide.
package server
