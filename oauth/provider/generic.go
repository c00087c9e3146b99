package provider

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/usherauth/usher/oauth/provider/idtoken"
	"github.com/usherauth/usher/oauth/provider/wire"
)

// maxTokenAge is how old an id_token may be when it arrives. It comes fresh out of the exchange; native apps keep theirs
// for a while. Better Auth has the same hour for its presets, and no limit for generic providers.
const maxTokenAge = time.Hour

// generic is any provider with a discovery URL, or with endpoints in its options: Better Auth's generic-oauth.
type generic struct {
	id        string
	o         Options
	client    client
	discovery *discovery // nil: the endpoints of the options are all there is
	keys      *idtoken.Keys
}

// newGeneric makes the provider for options that check accepted.
func newGeneric(id string, o Options, caller *wire.Caller, now func() time.Time) (Provider, error) {
	g := &generic{id: id, o: o}
	auth, err := authentication(o)
	if err != nil {
		return nil, misconfigured(id, "%v", err)
	}
	if o.clientID() == "" {
		return nil, misconfigured(id, "no client id")
	}
	g.client = client{caller: caller, now: now, id: o.clientID(), secret: o.ClientSecret, auth: auth}
	if o.PostLogoutRedirect != "" {
		if u, err := url.Parse(o.PostLogoutRedirect); err != nil || !u.IsAbs() || u.Host == "" {
			return nil, misconfigured(id, "post_logout_redirect_uri must be an absolute URL")
		}
	}
	if o.DiscoveryURL == "" {
		if o.RequireIDToken {
			return nil, misconfigured(id, "require_id_token_verification needs discovery_url, where the keys are")
		}
		return refreshingGeneric{g}, nil
	}
	g.discovery = &discovery{
		url: o.DiscoveryURL, issuer: o.Issuer, caller: caller, now: now,
		turn: make(chan struct{}, 1), usable: g.usable,
	}
	// Headers for discovery may be credentials: nobody else gets them, not even the keys.
	g.keys = idtoken.NewKeys(func(ctx context.Context) (string, error) {
		m, err := g.discovery.get(ctx)
		if err != nil {
			return "", err
		}
		return m.jwks, nil
	}, caller, now)
	oidc := discoveredGeneric{refreshingGeneric{g}}
	if o.DisableIDTokenSignIn {
		return oidc, nil
	}
	return verifyingGeneric{oidc}, nil
}

func authentication(o Options) (endpointAuth, error) {
	switch {
	case (o.Authentication == "basic" || o.Authentication == "post") && o.ClientSecret == "":
		return 0, errors.New("authentication " + o.Authentication + " needs a client secret")
	case o.Authentication == "none" && o.ClientSecret != "":
		return 0, errors.New("authentication none and a client secret exclude each other")
	}
	switch o.Authentication {
	case "", "post":
		return authPost, nil
	case "basic":
		return authBasic, nil
	case "none":
		return authNone, nil
	}
	return 0, errors.New("authentication is post, basic or none")
}

func (g *generic) ID() string          { return g.id }
func (g *generic) Name() string        { return or(g.o.Name, g.id) }
func (g *generic) Rules() AccountRules { return g.o.rules() }

// endpoints are those of the options, else those discovered. nil before discovery.
func (g *generic) endpoints() *metadata {
	m := metadata{}
	if g.discovery != nil {
		found := g.discovery.known()
		if found == nil {
			return nil
		}
		m = *found
	}
	return g.overridden(m)
}

// overridden puts the endpoints of the options in place of those found.
func (g *generic) overridden(m metadata) *metadata {
	m.authorize, m.token = or(g.o.AuthorizationURL, m.authorize), or(g.o.TokenURL, m.token)
	m.userInfo, m.endSession = or(g.o.UserInfoURL, m.userInfo), or(g.o.EndSessionURL, m.endSession)
	return &m
}

// discover is endpoints, after asking if nobody has yet.
func (g *generic) discover(ctx context.Context) (*metadata, error) {
	if g.discovery != nil {
		if _, err := g.discovery.get(ctx); err != nil {
			return nil, err
		}
	}
	return g.endpoints(), nil
}

func (g *generic) usable(found *metadata) error {
	m := g.overridden(*found)
	switch {
	case m.authorize == "" || m.token == "":
		return errors.New("no authorization or no token endpoint")
	case g.o.RequireIDToken && !m.signs():
		return errors.New("no issuer or no keys, which require_id_token_verification needs")
	}
	return nil
}

// signs is whether id_tokens can be verified.
func (m *metadata) signs() bool { return m.issuer != "" && m.jwks != "" }

func (g *generic) Authorize(a Authorization) (string, error) {
	m := g.endpoints()
	if m == nil || m.authorize == "" {
		return "", fmt.Errorf("provider %s: %w", g.id, ErrAbsent)
	}
	scopes := slices.Concat(a.Scopes, g.o.Scopes)
	if m.oidc && !slices.Contains(scopes, "openid") {
		scopes = append([]string{"openid"}, scopes...)
	}
	more := slices.Clone(g.o.AuthorizationParams)
	for _, p := range a.Additional {
		more = wire.Set(more, p.Name, p.Value)
	}
	u := authorization{
		endpoint: m.authorize, clientID: g.client.id, state: a.State, scope: strings.Join(scopes, " "),
		redirectURI: or(g.o.RedirectURI, a.RedirectURI), loginHint: a.LoginHint, nonce: a.Nonce, prompt: g.o.Prompt,
		accessType: g.o.AccessType, responseMode: g.o.ResponseMode, verifier: g.verifier(a.Verifier), additional: more,
	}
	return u.url(), nil
}

// verifier drops PKCE where it is switched off.
func (g *generic) verifier(v string) string {
	if g.o.PKCE != nil && !*g.o.PKCE {
		return ""
	}
	return v
}

func (g *generic) Exchange(ctx context.Context, e Exchange) (*Tokens, error) {
	m, err := g.discover(ctx)
	if err != nil {
		return nil, failure(g.id, ErrExchange, err)
	}
	form := codeForm(e, or(g.o.RedirectURI, e.RedirectURI), g.verifier(e.Verifier), e.DeviceID)
	for _, p := range g.o.TokenParams {
		if !slices.ContainsFunc(form, func(have Param) bool { return have.Name == p.Name }) {
			form = append(form, p)
		}
	}
	t, err := g.client.tokens(ctx, tokenRequest{
		url: m.token, form: form, auth: g.client.auth, secrets: []string{e.Code, e.Verifier},
	})
	if err != nil {
		return nil, failure(g.id, ErrExchange, err)
	}
	return g.timed(t), nil
}

// timed gives an access token an end where the provider does not.
func (g *generic) timed(t *Tokens) *Tokens {
	if t.AccessExpiresAt == nil && g.o.AccessTokenExpiresIn > 0 {
		at := g.client.now().Add(time.Duration(g.o.AccessTokenExpiresIn) * time.Second)
		t.AccessExpiresAt = &at
	}
	return t
}

func (g *generic) Identify(ctx context.Context, t *Tokens, cb Callback) (*Identity, error) {
	m, err := g.discover(ctx)
	if err != nil {
		return nil, failure(g.id, ErrUserInfo, err)
	}
	if g.wantsNonce(m) && cb.Nonce == "" && !cb.Stored {
		return nil, fmt.Errorf("provider %s: %w", g.id, ErrNoNonce)
	}
	i, err := g.identify(ctx, m, t, cb.Nonce)
	if err != nil {
		return nil, failure(g.id, ErrUserInfo, err)
	}
	return i, nil
}

func (g *generic) identify(ctx context.Context, m *metadata, t *Tokens, nonce string) (*Identity, error) {
	switch {
	case t.ID == nil && g.o.RequireIDToken:
		return nil, errors.New("no id_token")
	case t.ID == nil:
		return g.userInfo(ctx, m, t, nil)
	case !m.signs():
		// Better Auth reads such a token unverified. Going to userinfo instead could find another account id for the same
		// person; so only a token it would not have used lets us.
		if claims, err := idtoken.Decode(*t.ID); err == nil && claims.Text("sub") != "" && claims.Text("email") != "" {
			return nil, errors.New("an id_token nobody can verify: configure a discovery URL, or scopes without openid")
		}
		return g.userInfo(ctx, m, t, nil)
	}
	claims, err := g.verify(ctx, m, *t.ID, nonce, g.o.ClientIDs[:1])
	if err != nil {
		return nil, err
	}
	if claims.Text("email") != "" {
		return g.fromClaims(m, claims)
	}
	return g.userInfo(ctx, m, t, claims)
}

func (g *generic) verify(ctx context.Context, m *metadata, token, nonce string, audiences []string) (*wire.Object, error) {
	return idtoken.Verify(ctx, token, g.keys, idtoken.Rule{
		Issuers: []string{m.issuer}, Audiences: audiences, Algorithms: m.algorithms, MaxAge: maxTokenAge, Nonce: nonce,
	}, g.client.now())
}

// fromClaims takes the profile out of a verified id_token; userinfo is not called then.
func (g *generic) fromClaims(m *metadata, claims *wire.Object) (*Identity, error) {
	profile := new(wire.Object)
	profile.Set("id", claims.Get("sub"))
	verified := truth(claims.Get("email_verified"))
	profile.Set("emailVerified", verified)
	if claims.Has("picture") {
		profile.Set("image", claims.Get("picture"))
	}
	for _, key := range claims.Keys() {
		if key != "emailVerified" { // a claim of that name would overrule email_verified
			profile.Set(key, claims.Get(key))
		}
	}
	subject := claims.Get("sub")
	if !m.oidc {
		subject = profile.Get("id")
	}
	return identity(subject, claims.Text("email"), claims.Text("name"), profile.Get("image"), verified, profile)
}

// userInfo asks the userinfo endpoint. With claims, the answer must be about the same subject: an access token of
// another person must not lend its profile (OpenID Connect Core, section 5.3.2).
func (g *generic) userInfo(ctx context.Context, m *metadata, t *Tokens, claims *wire.Object) (*Identity, error) {
	if m.userInfo == "" || t.Access == nil {
		return nil, errors.New("neither an id_token with an e-mail nor a userinfo endpoint")
	}
	profile, err := g.client.object(ctx, bearer(m.userInfo, *t.Access))
	if err != nil {
		return nil, fmt.Errorf("userinfo: %w", err)
	}
	if claims != nil && profile.Text("sub") != claims.Text("sub") {
		return nil, errors.New("userinfo speaks of another subject than the id_token")
	}
	verified := truth(profile.Get("email_verified"))
	subject := profile.Get("id")
	switch {
	case m.oidc && claims != nil:
		subject = claims.Get("sub")
	case m.oidc:
		subject = profile.Get("sub")
	}
	profile.Set("emailVerified", verified)
	if profile.Has("picture") {
		profile.Set("image", profile.Get("picture"))
	}
	return identity(subject, profile.Text("email"), profile.Text("name"), profile.Get("picture"), verified, profile)
}
