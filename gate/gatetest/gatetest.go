// Package gatetest holds fakes for tests of anything that uses a gate: a Reader that believes what it is told and a
// Resolver that is a map. They have behaviour instead of expectations.
package gatetest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/usherauth/usher/gate"
)

// Reader takes a session token from "Authorization: Bearer TOKEN" or from a cookie named session. A token that begins
// with "forged" is not genuine.
type Reader struct{}

// Read implements gate.Reader.
func (Reader) Read(r *gate.Request) (gate.Credentials, error) {
	var found gate.Credentials
	method, token := gate.ByBearer, ""
	if rest, ok := strings.CutPrefix(r.Authorization, "Bearer "); ok {
		token = rest
	} else {
		for _, line := range r.Cookies {
			for pair := range strings.SplitSeq(line, ";") {
				if rest, ok := strings.CutPrefix(strings.TrimSpace(pair), "session="); ok {
					method, token = gate.ByCookie, rest
				}
			}
		}
	}
	switch {
	case token == "":
		return found, gate.ErrNoCredential
	case strings.HasPrefix(token, "forged"):
		found.Method = method
		return found, gate.ErrBadCredential
	}
	found.Add(gate.Proven(method, token))
	return found, nil
}

// Resolver knows principals by token, and their users by id. It is safe for concurrent use.
type Resolver struct {
	mu    sync.Mutex
	known map[string]*gate.Principal
	err   error
	wait  bool
	calls int
}

// NewResolver makes a Resolver that knows these.
func NewResolver(known map[string]*gate.Principal) *Resolver {
	return &Resolver{known: known}
}

// Break makes every lookup fail with err; nil mends it.
func (s *Resolver) Break(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Hang makes every lookup wait until its context ends.
func (s *Resolver) Hang(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wait = on
}

// Calls is how many lookups were made.
func (s *Resolver) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Resolve implements gate.Resolver.
func (s *Resolver) Resolve(ctx context.Context, c gate.Credential) (*gate.Principal, error) {
	s.mu.Lock()
	s.calls++
	wait, err, p := s.wait, s.err, s.known[c.Token()]
	if c.Method() == gate.ByInternal {
		p = s.named(c.Token())
	}
	s.mu.Unlock()
	if wait {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, gate.ErrNoSession
	}
	return p, nil
}

// named is somebody without a session; of several principals of one user, that of the first token.
func (s *Resolver) named(userID string) *gate.Principal {
	for _, token := range slices.Sorted(maps.Keys(s.known)) {
		if p := s.known[token]; p.User.ID == userID && userID != "" {
			return &gate.Principal{User: p.User, Memberships: p.Memberships}
		}
	}
	return nil
}
