package oauth

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/betterauth/seal"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/provider"
)

// Server is the sign-in server. It is safe for concurrent use.
type Server struct {
	config    Config
	providers map[string]provider.Provider
	api       string // base URL and path, in front of every route
	errors    string // where errors are told that belong to no flow

	stateKeys *seal.Keys // of states in cookies
	linkKeys  *seal.Keys // of sessions' tokens in states
	spent     spent      // states in cookies that were used here
	swept     atomic.Int64

	router http.Handler
}

// New puts a server together.
func New(c Config) (*Server, error) {
	if c.BasePath == "" {
		c.BasePath = "/api/auth"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Sessions.ExpiresIn == 0 {
		c.Sessions.ExpiresIn = 7 * 24 * time.Hour
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &Server{
		config: c, providers: map[string]provider.Provider{}, api: c.BaseURL + c.BasePath, errors: c.ErrorURL,
		stateKeys: c.Keys.For(seal.StateCookie), linkKeys: c.Keys.For(seal.LinkSession),
	}
	if s.errors == "" {
		s.errors = s.api + "/error"
	}
	for _, p := range c.Providers {
		s.providers[p.ID()] = p
	}
	router, err := endpoint.NewRouter(endpoint.Config{
		BasePath: c.BasePath, BaseURL: c.BaseURL, Trusts: s.trusts, Reader: c.Reader, Cookies: c.Cookies, Sessions: c.Store,
		ExpiresIn: c.Sessions.ExpiresIn, UpdateAge: c.Sessions.UpdateAge, FreshAge: c.Sessions.FreshAge,
		Proxies: c.Proxies, Limiter: c.Limiter, Now: func() time.Time { return c.Now().UTC().Truncate(time.Millisecond) }, Log: c.Log,
	}, slices.Concat(s.routes(), c.Routes)...)
	if err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	s.router = router
	return s, nil
}

func (s *Server) routes() []endpoint.Route {
	known := func(id string) bool { return s.providers[id] != nil }
	return []endpoint.Route{
		{Method: http.MethodPost, Path: "/sign-in/social", Handler: s.signIn},
		{Method: http.MethodGet, Path: "/signin/{provider}", Handler: s.signInByLink, Bucket: "/sign-in/social"},
		{Method: http.MethodPost, Path: "/link-social", Handler: s.link},
		{Method: http.MethodGet, Path: "/callback/{provider}", Handler: s.callback, Known: known},
		{
			Method: http.MethodPost, Path: "/callback/{provider}", Handler: s.callbackByForm, Known: known,
			Media: []string{"application/x-www-form-urlencoded", "application/json"},
		},
	}
}

// ServeHTTP answers every route below the base path.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

func (s *Server) trusts(url string, relativeToo bool) bool {
	if relativeToo {
		_, err := s.config.Origins.ReturnURL(url)
		return err == nil
	}
	return s.config.Origins.Trust(url)
}

// provider is one that can be used now: a generic one whose discovery does not work is not there, as in the library.
func (s *Server) provider(ctx context.Context, id string) provider.Provider {
	p := s.providers[id]
	if d, ok := p.(provider.Discoverer); ok && d.Discover(ctx) != nil {
		return nil
	}
	return p
}

func (s *Server) callbackURL(p provider.Provider) string { return s.api + "/callback/" + p.ID() }
