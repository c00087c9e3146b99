package boot

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/betterauth/seal"
	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/internal/telemetry"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/oauth/account"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/flow"
	"github.com/usherauth/usher/oauth/front"
	"github.com/usherauth/usher/oauth/organization"
	"github.com/usherauth/usher/oauth/page"
	"github.com/usherauth/usher/oauth/provider"
	"github.com/usherauth/usher/oauth/session"
	"github.com/usherauth/usher/store/accounts"
)

// companionParts is what a companion is made of, all but its database.
type companionParts struct {
	store     accounts.Config
	server    oauth.Config // without Store and Routes
	providers []provider.Provider
	pages     *page.Pages
	secure    bool
	forget    func(token string) // nil: nobody remembers
	unlinkAll bool               // whether the last account may be unlinked
	audit     *audit
	log       *slog.Logger
}

func newCompanionParts(c *config.Config, log *slog.Logger, metrics *telemetry.Metrics, limiter endpoint.Limiter, forget func(string)) (*companionParts, error) {
	p := &companionParts{store: accountsConfig(c), secure: c.SecureCookies(), forget: forget, audit: newAudit(log, metrics), log: log}
	reader, err := newReader(c)
	if err != nil {
		return nil, err
	}
	cookies, err := companionCookies(c)
	if err != nil {
		return nil, err
	}
	origins, err := flow.NewOrigins(c.Origin(), c.BetterAuth.TrustedOrigins...)
	if err != nil {
		return nil, fmt.Errorf("better_auth.url: %w", err)
	}
	if p.providers, err = makeProviders(c); err != nil {
		return nil, err
	}
	if p.pages, err = pages(c); err != nil {
		return nil, err
	}
	options, linking := &c.BetterAuth.Account, &c.BetterAuth.Account.AccountLinking
	p.unlinkAll = linking.AllowUnlinkingAll
	p.server = oauth.Config{
		BaseURL: c.Origin(), BasePath: c.AuthPath(), Origins: origins, Keys: sealKeys(c), Cookies: cookies, Reader: reader,
		Providers: p.providers, Proxies: c.Proxies(), Limiter: limiter, Log: log, Observe: p.audit.signIn,
		Accounts: oauth.Accounts{
			EncryptTokens: options.EncryptOAuthTokens, KeepTokens: !options.UpdateAccountOnSignIn,
			TrustedProviders: linking.TrustedProviders, LinkingDisabled: !linking.Enabled, ImplicitLinkingDisabled: linking.DisableImplicitLinking,
			AnyLocalEmail: !linking.RequireLocalEmailVerified, DifferentEmails: linking.AllowDifferentEmails, UpdateUserOnLink: linking.UpdateUserInfoOnLink,
		},
		State: oauth.StateOptions{
			InCookie: options.StoreStateStrategy == "cookie", Hashed: c.BetterAuth.Verification.StoreIdentifier == "hashed",
			SkipCookieCheck: options.SkipStateCookieCheck,
		},
		Sessions: oauth.Sessions{
			ExpiresIn: c.BetterAuth.Session.ExpiresIn, UpdateAge: always(c.BetterAuth.Session.UpdateAge), FreshAge: always(c.BetterAuth.Session.FreshAge),
		},
	}
	for name, one := range c.SignInProviders() {
		if one.AllowIDPInitiated {
			p.server.IDPInitiated = append(p.server.IDPInitiated, name)
		}
	}
	return p, nil
}

// always turns the configuration's 0, "every time" or "any age", into the one of the rooms, whose 0 is Better Auth's default.
func always(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// accountsTimeout is what a call of the database may take: longer than another writer of SQLite is waited for, and shorter
// than anybody looks at a blank page. Without it, a server that says nothing would hold every request.
const accountsTimeout = 6 * time.Second

func accountsConfig(c *config.Config) accounts.Config {
	a := accounts.Config{URL: c.Store.URL.Reveal(), Tables: tables(c), Timeout: accountsTimeout}
	if s := &c.Store.Secondary; !s.URL.IsZero() {
		a.Redis = &accounts.Redis{
			URL: s.URL.Reveal(), Prefix: s.Prefix, StoreSessionInDatabase: s.StoreSessionInDatabase,
			PreserveSessionInDatabase: s.PreserveSessionInDatabase, StoreVerificationInDatabase: c.BetterAuth.Verification.StoreInDatabase,
			SessionExpiresIn: c.BetterAuth.Session.ExpiresIn,
		}
	}
	return a
}

// companionCookies are Better Auth's, as the configuration names them and says what they have.
func companionCookies(c *config.Config) (*betterauth.Cookies, error) {
	own := &c.BetterAuth.Cookies
	return betterauth.NewCookies(betterauth.CookiesConfig{
		Secret: c.CurrentSecret().Reveal(), Prefix: c.BetterAuth.CookiePrefix, Secure: c.SecureCookies(),
		Attributes: []betterauth.CookieAttributes{{Domain: c.CookieDomain()}, attributes(c.BetterAuth.DefaultCookieAttributes)},
		Options: map[string]betterauth.CookieOption{
			betterauth.SessionToken: {Name: own.SessionToken.Name, Attributes: attributes(own.SessionToken.Attributes)},
			betterauth.Remember:     {Name: own.DontRemember.Name},
		},
	})
}

// sealKeys are the keys of what Better Auth stores sealed. Without numbers there is the one secret; with them (`secrets`),
// the numbered ones, and the one without a number opens what is older than numbers.
func sealKeys(c *config.Config) *seal.Keys {
	current, legacy, number := c.CurrentSecret().Reveal(), "", -1
	versions := make(map[int]string)
	for _, s := range c.BetterAuth.Secrets {
		switch value := s.Value.Reveal(); {
		case !s.Numbered():
			legacy = value
		default:
			versions[s.Version] = value
			if value == current {
				number = s.Version
			}
		}
	}
	if number < 0 {
		return seal.NewKeys(current, nil, 0)
	}
	return seal.NewKeys(legacy, versions, number)
}

// makeProviders makes the identity providers of the configuration.
func makeProviders(c *config.Config) ([]provider.Provider, error) {
	var all []provider.Provider
	client := &http.Client{Transport: http.DefaultTransport} // with the standard proxy and certificate variables
	for name, p := range c.SignInProviders() {
		made, err := provider.New(name, providerOptions(p), client, nil)
		if err != nil {
			return nil, fmt.Errorf("oauth.providers.%s: %w", name, err)
		}
		all = append(all, made)
	}
	return all, nil
}

func providerOptions(p config.Provider) provider.Options {
	o := provider.Options{
		Name: p.Name, ClientIDs: append([]string{p.ClientID}, p.Audience...), ClientSecret: p.ClientSecret.Reveal(), Scopes: p.Scopes,
		RedirectURI: p.RedirectURI, DisableDefaultScope: p.DisableDefaultScope, DisableIDTokenSignIn: p.DisableIDTokenSignIn,
		DisableSignUp: p.DisableSignUp, DisableImplicitSignUp: p.DisableImplicitSignUp,
		OverrideUserInfoOnSignIn: p.OverrideUserInfoOnSignIn, RequireEmailVerification: p.RequireEmailVerification,
		AuthorizationURL: p.AuthorizationURL, TokenURL: p.TokenURL, UserInfoURL: p.UserInfoURL, Prompt: p.Prompt, AccessType: p.AccessType,
		DiscoveryURL: p.DiscoveryURL, Authentication: p.Authentication, Issuer: p.Issuer, HD: p.HD, Tenant: p.TenantID, Authority: p.Authority,
		Domain: p.Domain, Region: p.Region, UserPoolID: p.UserPoolID, IdentityProvider: p.IdentityProvider,
		Environment: p.Environment, LoginURL: p.LoginURL, AppBundleID: p.AppBundleIdentifier, ConfigID: p.ConfigID, Fields: p.Fields,
		Display: p.Display, ProfilePhotoSize: p.ProfilePhotoSize, DisableProfilePhoto: p.DisableProfilePhoto, Duration: p.Duration,
		Claims: p.Claims, Lang: p.Lang, ResponseMode: p.ResponseMode, AuthorizationParams: params(p.AuthorizationURLParams),
		TokenParams: params(p.TokenURLParams), RefreshParams: params(p.RefreshTokenParams),
		AccessTokenExpiresIn: int(p.AccessTokenExpiresIn / time.Second), RequireIDToken: p.RequireIDTokenVerification,
		DisableNonce: p.DisableIDTokenNonceBinding, EndSessionURL: p.EndSessionEndpoint, PostLogoutRedirect: p.PostLogoutRedirectURI,
		DisableLogout: p.DisableProviderLogout, PKCE: said(p.PKCE), IncludeGrantedScopes: said(p.IncludeGrantedScopes),
	}
	if p.Permissions > 0 {
		bits := uint64(p.Permissions)
		o.Permissions = &bits
	}
	return o
}

// params are in the same order on every start.
func params(of map[string]string) []provider.Param {
	var list []provider.Param
	for _, name := range slices.Sorted(maps.Keys(of)) {
		list = append(list, provider.Param{Name: name, Value: of[name]})
	}
	return list
}

// CheckSignIn says what of the sign-in server's configuration only shows when its parts are made: an option that a
// provider does not know, a logo that is no image.
func CheckSignIn(c *config.Config) error {
	if !c.Companion() {
		return nil
	}
	_, err := makeProviders(c)
	if _, drawn := pages(c); err == nil {
		err = drawn
	}
	return err
}

// pages are drawn with the brand of the configuration.
func pages(c *config.Config) (*page.Pages, error) {
	b := c.OAuth.Brand
	brand := page.Brand{Name: b.Name, Accent: b.Accent, AccentDark: b.AccentDark, Home: c.Origin() + "/"}
	if brand.Name == "" {
		_, brand.Name, _ = strings.Cut(c.Origin(), "://")
	}
	if b.Logo != "" {
		var err error
		if brand.Logo, err = os.ReadFile(b.Logo); err != nil {
			return nil, fmt.Errorf("oauth.brand.logo: %w", err)
		}
	}
	drawn, err := page.New(brand)
	if err != nil {
		return nil, fmt.Errorf("oauth.brand.%w", err)
	}
	return drawn, nil
}

// handler puts everything together over an open database.
func (p *companionParts) handler(db *accounts.Store) (http.Handler, error) {
	serving := p.server
	serving.Store = db
	organizations := organization.New(organization.Config{Store: db, Shape: db.Shape(), Forget: p.forget})
	people := account.New(account.Config{
		Store: db, Shape: db.Shape(), Providers: p.providers, EncryptTokens: serving.Accounts.EncryptTokens, Keys: serving.Keys,
		BaseURL: serving.BaseURL, AllowUnlinkingAll: p.unlinkAll, Forget: p.forget, Audit: p.audit.account,
	})
	sessions := session.New(session.Config{Store: db, Shape: db.Shape(), Forget: p.forget, Audit: p.audit.session, EndSession: people.EndSession})
	serving.Routes = slices.Concat(sessions.Routes(), organizations.Routes(), people.Routes())
	api, err := oauth.New(serving)
	if err != nil {
		return nil, err
	}
	var named []front.Provider
	for _, one := range p.providers {
		named = append(named, front.Provider{ID: one.ID(), Name: one.Name()})
	}
	slices.SortFunc(named, func(a, b front.Provider) int { // in the same order on every start and replica
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	pages, err := front.New(front.Config{
		API: api, BasePath: serving.BasePath, Origin: serving.BaseURL, Secure: p.secure, Pages: p.pages, Providers: named,
		Trusts: func(url string) bool { _, err := serving.Origins.ReturnURL(url); return err == nil }, Log: p.log,
	})
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if pages.Serves(r.URL.Path) {
			pages.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	}), nil
}

// serves reports whether a path is the companion's: the pages', or below the API's. It compares what was sent, for
// nothing is tidied up here.
func (p *companionParts) serves(path string) bool {
	return p.draws(path) || path == p.server.BasePath || strings.HasPrefix(path, p.server.BasePath+"/")
}

// draws reports whether a path is that of a page.
func (p *companionParts) draws(path string) bool {
	return path == front.SignInPath || path == front.AccountPath
}

// ProviderNames are those that need no more than a client's id and secret.
func ProviderNames() []string { return provider.Presets() }
