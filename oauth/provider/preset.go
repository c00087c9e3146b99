package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/usherauth/usher/oauth/provider/idtoken"
	"github.com/usherauth/usher/oauth/provider/wire"
)

// preset is one row of the table in presets.go: what Better Auth 1.7.25 does with a provider. Functions are for what is
// no data; nil is what most providers do.
type preset struct {
	name                       string
	base, api                  func(*Options) string // take the place of {base} and {api} in the URLs
	authorize, token, userInfo string
	scopes                     []string
	bodyFirst                  bool // the caller's scopes before the configured ones
	pkce                       pkce
	hint                       bool   // takes a login_hint
	prompt                     string // where none is configured
	basic, postRefresh         bool   // client's proof in a header; but not when refreshing
	secret                     bool   // does not work without a client secret
	public                     bool   // works without one although basic
	noRefresh                  bool
	fixed                      []Param  // in the authorization URL, whatever anybody says
	takes                      []string // options besides the common ones
	user                       mapping
	signed                     *signed // the identity is in the id_token

	check      func(*Options) error
	extra      func(o *Options, scopes []string) []Param // in the authorization URL, unless the caller says otherwise
	shape      func(*Options, *authorization)            // a last hand at the authorization URL
	authorizes func(*standard, Authorization) string     // instead of all that
	exchanges  func(context.Context, *standard, Exchange) (*Tokens, error)
	refreshes  func(context.Context, *standard, string) (*Tokens, error)
	identifies func(context.Context, *standard, *Tokens, Callback) (*Identity, error)
	verifies   func(ctx context.Context, s *standard, token, nonce string) (*Identity, error)
}

// pkce is what becomes of the verifier.
type pkce int

const (
	pkceNone     pkce = iota // neither challenge nor verifier
	pkceFull                 // both
	pkceVerifier             // the verifier alone
)

// standard is a preset at work.
type standard struct {
	id string
	preset
	o      Options
	client client
	keys   *idtoken.Keys // nil where nothing is signed
	rule   idtoken.Rule
}

func newPreset(id string, row preset, o Options, caller *wire.Caller, now func() time.Time) (Provider, error) {
	if o.clientID() == "" {
		return nil, misconfigured(id, "no client id")
	}
	if (row.secret || row.basic && !row.public) && o.ClientSecret == "" {
		return nil, misconfigured(id, "no client secret")
	}
	if row.check != nil {
		if err := row.check(&o); err != nil {
			return nil, misconfigured(id, "%v", err)
		}
	}
	if row.base != nil {
		base := row.base(&o)
		if err := endpoint(base); err != nil {
			return nil, misconfigured(id, "%q %v", base, err)
		}
		base = trimBase(base)
		for _, u := range []*string{&row.authorize, &row.token, &row.userInfo} {
			*u = expand(*u, base)
		}
	}
	if row.api != nil {
		row.token, row.userInfo = strings.ReplaceAll(row.token, "{api}", row.api(&o)), strings.ReplaceAll(row.userInfo, "{api}", row.api(&o))
	}
	row.authorize, row.token = or(o.AuthorizationURL, row.authorize), or(o.TokenURL, row.token)
	row.userInfo = or(o.UserInfoURL, row.userInfo)
	s := &standard{id: id, preset: row, o: o, client: client{caller: caller, now: now, id: o.clientID(), secret: o.ClientSecret}}
	if row.basic && o.ClientSecret != "" {
		s.client.auth = authBasic
	}
	if row.signed != nil {
		s.keys, s.rule = row.signed.prepare(s)
	}
	native := (row.verifies != nil || row.signed != nil && row.signed.native) && !o.DisableIDTokenSignIn
	switch {
	case row.noRefresh:
		return s, nil
	case native:
		return verifying{refreshing{s}}, nil
	}
	return refreshing{s}, nil
}

func (s *standard) ID() string          { return s.id }
func (s *standard) Name() string        { return or(s.o.Name, s.name) }
func (s *standard) Rules() AccountRules { return s.o.rules() }

// requested are the scopes of one authorization, duplicates kept as Better Auth keeps them.
func (s *standard) requested(more []string) []string {
	var defaults []string
	if !s.o.DisableDefaultScope {
		defaults = s.scopes
	}
	if s.bodyFirst {
		return slices.Concat(defaults, more, s.o.Scopes)
	}
	return slices.Concat(defaults, s.o.Scopes, more)
}

func (s *standard) Authorize(a Authorization) (string, error) {
	if s.pkce == pkceFull && a.Verifier == "" {
		return "", fmt.Errorf("provider %s: an authorization without PKCE verifier", s.id)
	}
	if s.authorizes != nil {
		return s.authorizes(s, a), nil
	}
	return s.authorization(a).url(), nil
}

func (s *standard) authorization(a Authorization) *authorization {
	scopes := s.requested(a.Scopes)
	u := authorization{
		endpoint: s.authorize, clientID: s.client.id, state: a.State, scope: strings.Join(scopes, " "),
		redirectURI: or(s.o.RedirectURI, a.RedirectURI), prompt: or(s.o.Prompt, s.prompt),
	}
	if s.hint {
		u.loginHint = a.LoginHint
	}
	if s.pkce == pkceFull && (s.o.PKCE == nil || *s.o.PKCE) {
		u.verifier = a.Verifier
	}
	if s.extra != nil {
		u.additional = s.extra(&s.o, scopes)
	}
	for _, list := range [][]Param{a.Additional, s.fixed} {
		for _, p := range list {
			u.additional = wire.Set(u.additional, p.Name, p.Value)
		}
	}
	if s.shape != nil {
		s.shape(&s.o, &u)
	}
	return &u
}

func (s *standard) Exchange(ctx context.Context, e Exchange) (*Tokens, error) {
	t, err := s.exchange(ctx, e)
	if err != nil {
		return nil, failure(s.id, ErrExchange, err)
	}
	return t, nil
}

func (s *standard) exchange(ctx context.Context, e Exchange) (*Tokens, error) {
	if s.exchanges != nil {
		return s.exchanges(ctx, s, e)
	}
	return s.client.tokens(ctx, s.codeRequest(e))
}

func (s *standard) codeRequest(e Exchange) tokenRequest {
	verifier := e.Verifier
	if s.pkce == pkceNone {
		verifier = ""
	}
	return tokenRequest{
		url: s.token, form: codeForm(e, or(s.o.RedirectURI, e.RedirectURI), verifier, ""), auth: s.client.auth,
		secrets: []string{e.Code, e.Verifier},
	}
}

func (s *standard) Identify(ctx context.Context, t *Tokens, cb Callback) (*Identity, error) {
	i, err := s.identify(ctx, t, cb)
	if err != nil {
		return nil, failure(s.id, ErrUserInfo, err)
	}
	return i, nil
}

func (s *standard) identify(ctx context.Context, t *Tokens, cb Callback) (*Identity, error) {
	switch {
	case s.identifies != nil:
		return s.identifies(ctx, s, t, cb)
	case s.signed != nil:
		claims, err := s.claims(ctx, t, cb)
		if err != nil {
			return nil, err
		}
		return s.signed.person(ctx, s, claims, t, cb)
	}
	return s.fromUserInfo(ctx, t)
}

// fromUserInfo asks the userinfo endpoint and maps what it says.
func (s *standard) fromUserInfo(ctx context.Context, t *Tokens, headers ...Param) (*Identity, error) {
	return s.ask(ctx, t, http.MethodGet, "", headers...)
}

func (s *standard) ask(ctx context.Context, t *Tokens, method, body string, headers ...Param) (*Identity, error) {
	if t.Access == nil {
		return nil, errNoAccessToken
	}
	r := bearer(s.userInfo, *t.Access, headers...)
	r.Method, r.Body = method, body
	answer, err := s.client.object(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("userinfo: %w", err)
	}
	return s.user.identity(answer)
}

// claims are those of the id_token, verified unless it comes from our own account table.
func (s *standard) claims(ctx context.Context, t *Tokens, cb Callback) (*wire.Object, error) {
	if t.ID == nil {
		return nil, errors.New("no id_token")
	}
	if cb.Stored {
		return idtoken.Decode(*t.ID)
	}
	r := s.rule
	r.Audiences, r.Nonce = s.o.ClientIDs[:1], cb.Nonce
	return idtoken.Verify(ctx, *t.ID, s.keys, r, s.client.now())
}

// refreshing implements Refresher.
type refreshing struct{ *standard }

// Refresh renews an access token.
func (s refreshing) Refresh(ctx context.Context, token string) (*Tokens, error) {
	t, err := s.refresh(ctx, token)
	if err != nil {
		return nil, failure(s.id, ErrRefresh, err)
	}
	return t, nil
}

func (s refreshing) refresh(ctx context.Context, token string) (*Tokens, error) {
	if s.refreshes != nil {
		return s.refreshes(ctx, s.standard, token)
	}
	auth := s.client.auth
	if s.postRefresh {
		auth = authPost
	}
	return s.client.tokens(ctx, tokenRequest{url: s.token, form: refreshForm(token), auth: auth, secrets: []string{token}})
}

// verifying implements IDTokenVerifier.
type verifying struct{ refreshing }

// VerifyIDToken lets a native app sign in.
func (s verifying) VerifyIDToken(ctx context.Context, token, nonce string) (*Identity, error) {
	i, err := s.verify(ctx, token, nonce)
	switch {
	case errors.Is(err, ErrOpaqueToken):
		return nil, failure(s.id, ErrOpaqueToken, errors.New("no JWT"))
	case errors.Is(err, ErrUserInfo):
		return nil, fmt.Errorf("provider %s: %w", s.id, err)
	}
	if err != nil {
		return nil, failure(s.id, ErrIDToken, err)
	}
	return i, nil
}

func (s verifying) verify(ctx context.Context, token, nonce string) (*Identity, error) {
	if s.verifies != nil {
		return s.verifies(ctx, s.standard, token, nonce)
	}
	r := s.rule
	r.Nonce, r.NonceHash = nonce, s.signed.nonceHash
	claims, err := idtoken.Verify(ctx, token, s.keys, r, s.client.now())
	if err != nil {
		return nil, err
	}
	i, err := s.signed.person(ctx, s.standard, claims, &Tokens{ID: &token}, Callback{})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUserInfo, err)
	}
	return i, nil
}
