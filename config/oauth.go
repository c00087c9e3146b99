package config

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// OAuth is signing in through Usher itself, at /api/auth, with the pages for it.
type OAuth struct {
	// Whether the routes and pages are served, once a provider is named here.
	Enabled bool `yaml:"enabled"`
	// Identity providers by name: a built-in name, or any name with `discovery_url`. GOOGLE_CLIENT_ID and the like name
	// one too.
	Providers map[string]Provider `yaml:"providers"`
	Brand     Brand               `yaml:"brand"`
}

// Brand is how the pages look.
type Brand struct {
	// What people know this site as. Empty: the host of `better_auth.url`.
	Name string `yaml:"name"`
	// File with a PNG, JPEG, WebP or SVG image of 64 KiB at most.
	Logo string `yaml:"logo"`
	// Colour of buttons and links, as `#146c4a`. One that cannot be read on white is refused.
	Accent string `yaml:"accent"`
	// The same for people who prefer dark. Empty: a lighter shade of `accent`.
	AccentDark string `yaml:"accent_dark"`
}

// Provider is one identity provider. The keys are Better Auth's options of the same provider.
type Provider struct {
	// What people see. Empty: the provider's own name.
	Name string `yaml:"name"`
	// As the provider gave it.
	ClientID string `yaml:"client_id"`
	// As the provider gave it; Apple's is a JWT that you make.
	ClientSecret Secret `yaml:"client_secret"`
	// More client ids whose id tokens are accepted: those of your mobile apps.
	Audience []string `yaml:"audience"`
	// Scopes besides the provider's usual ones.
	Scopes []string `yaml:"scopes"`
	// Ask for `scopes` only.
	DisableDefaultScope bool `yaml:"disable_default_scope"`
	// Where the provider leads back to. Empty: `/callback/NAME` below Better Auth's path.
	RedirectURI string `yaml:"redirect_uri"`
	// As the provider's documentation has it.
	Prompt string `yaml:"prompt"`
	// `offline`, for a refresh token of Google.
	AccessType string `yaml:"access_type"`
	// Google Workspace domain that people must belong to.
	HD string `yaml:"hd"`
	// Microsoft: a tenant instead of `common`.
	TenantID string `yaml:"tenant_id"`
	// Microsoft: another cloud than https://login.microsoftonline.com.
	Authority string `yaml:"authority"`
	// GitLab, Paybin: your own server.
	Issuer string `yaml:"issuer"`
	// Cognito: the pool's domain.
	Domain string `yaml:"domain"`
	// Cognito.
	Region string `yaml:"region"`
	// Cognito.
	UserPoolID string `yaml:"user_pool_id"`
	// PayPal: `live` instead of `sandbox`; Salesforce: `sandbox` instead of production.
	Environment string `yaml:"environment"`
	// Salesforce: your own login host, as `acme.my.salesforce.com`.
	LoginURL string `yaml:"login_url"`
	// Apple: the audience of id tokens of your mobile apps.
	AppBundleIdentifier string `yaml:"app_bundle_identifier"`
	// Cognito: the provider behind it to go to at once.
	IdentityProvider string `yaml:"identity_provider"`
	// Discord, with the scope `bot`; 0: none.
	Permissions int `yaml:"permissions"`
	// Facebook.
	ConfigID string `yaml:"config_id"`
	// Facebook: what to ask for besides id, name, e-mail address and picture.
	Fields []string `yaml:"fields"`
	// Google: as its documentation has it.
	Display string `yaml:"display"`
	// Google: whether scopes that were granted before count again; `auto`: yes.
	IncludeGrantedScopes Toggle `yaml:"include_granted_scopes"`
	// Microsoft: pixels; 0: 48.
	ProfilePhotoSize int `yaml:"profile_photo_size"`
	// Microsoft: no picture.
	DisableProfilePhoto bool `yaml:"disable_profile_photo"`
	// Reddit: `permanent`, for a refresh token.
	Duration string `yaml:"duration"`
	// Twitch: claims besides the usual ones.
	Claims []string `yaml:"claims"`
	// WeChat: `en` instead of `cn`.
	Lang string `yaml:"lang"`
	// OpenID Connect discovery, of a provider that is not built in.
	DiscoveryURL string `yaml:"discovery_url"`
	// In place of what the provider or its discovery says.
	AuthorizationURL string `yaml:"authorization_url"`
	// In place of what the provider or its discovery says.
	TokenURL string `yaml:"token_url"`
	// In place of what the provider or its discovery says.
	UserInfoURL string `yaml:"user_info_url"`
	// Whether PKCE is used; `auto`: wherever the provider knows it, and with `discovery_url` always.
	PKCE Toggle `yaml:"pkce"`
	// With `discovery_url`: how the secret is sent, `post` (in the body) or `basic`. Empty: `post`.
	Authentication string `yaml:"authentication"`
	// With `discovery_url`: how the answer comes, as `form_post`.
	ResponseMode string `yaml:"response_mode"`
	// With `discovery_url`: more parameters for the page where people sign in.
	AuthorizationURLParams map[string]string `yaml:"authorization_url_params"`
	// With `discovery_url`: more parameters for exchanging a code. No secrets: they are printed.
	TokenURLParams map[string]string `yaml:"token_url_params"`
	// With `discovery_url`: more parameters for renewing a token. No secrets: they are printed.
	RefreshTokenParams map[string]string `yaml:"refresh_token_params"`
	// With `discovery_url`: how long an access token lasts where the provider does not say; 0: not known.
	AccessTokenExpiresIn time.Duration `yaml:"access_token_expires_in"`
	// With `discovery_url`: nobody without an id token that is verified.
	RequireIDTokenVerification bool `yaml:"require_id_token_verification"`
	// With `discovery_url`: no nonce, for a provider that does not hand it back.
	DisableIDTokenNonceBinding bool `yaml:"disable_id_token_nonce_binding"`
	// With `discovery_url`: a sign-in may begin at the provider.
	AllowIDPInitiated bool `yaml:"allow_idp_initiated"`
	// With `discovery_url`: where signing out leads. Empty: as discovery says.
	EndSessionEndpoint string `yaml:"end_session_endpoint"`
	// With `discovery_url`: where the provider leads after that; an absolute URL.
	PostLogoutRedirectURI string `yaml:"post_logout_redirect_uri"`
	// With `discovery_url`: signing out is not told to the provider.
	DisableProviderLogout bool `yaml:"disable_provider_logout"`
	// Nobody new.
	DisableSignUp bool `yaml:"disable_sign_up"`
	// Nobody new, unless the app asks for it with `requestSignUp`.
	DisableImplicitSignUp bool `yaml:"disable_implicit_sign_up"`
	// No signing in with an id token that a mobile app got.
	DisableIDTokenSignIn bool `yaml:"disable_id_token_sign_in"`
	// Take over name, image and e-mail address at every sign-in.
	OverrideUserInfoOnSignIn bool `yaml:"override_user_info_on_sign_in"`
	// No session before the provider has verified the e-mail address.
	RequireEmailVerification bool `yaml:"require_email_verification"`
}

// Companion reports whether signing in through Usher is served.
func (c *Config) Companion() bool {
	kind := c.Store.Kind()
	return c.Enabled && c.OAuth.Enabled && len(c.SignInProviders()) > 0 && c.Origin() != "" && (kind == "postgres" || kind == "sqlite")
}

// SignInProviders are those that people can sign in with: of what Better Auth's variables name, only what is whole.
func (c *Config) SignInProviders() map[string]Provider {
	return maps.Collect(func(yield func(string, Provider) bool) {
		for name, p := range c.OAuth.Providers {
			if p.ClientID != "" && !yield(name, p) {
				return
			}
		}
	})
}

// asked reports whether a provider is named by a key of Usher's own, and not only by variables that Better Auth reads as
// well.
func asked(c *Config, f *findings) bool {
	return slices.ContainsFunc(sortedKeys(c.OAuth.Providers), func(name string) bool {
		return !f.places["oauth.providers."+name].shared
	})
}

// RateLimited reports whether the routes of signing in are limited.
func (c *Config) RateLimited() bool {
	return c.BetterAuth.RateLimit.Enabled.Or(strings.HasPrefix(c.BetterAuth.URL, "https://"))
}

// providerName is what fits into a path and a cookie's neighbourhood.
var providerName = pattern(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

func checkOAuth(c *Config, f *findings) {
	if !c.Enabled || !c.OAuth.Enabled || len(c.OAuth.Providers) == 0 {
		return
	}
	kind := c.Store.Kind()
	for _, name := range sortedKeys(c.OAuth.Providers) {
		key := "oauth.providers." + name
		shared, before := f.places[key].shared, len(f.problems)
		switch {
		case kind == "postgres" || kind == "sqlite" || c.Store.URL.IsZero() || f.noted("store.url"):
			checkProvider(c, name, f)
		case shared: // whoever shares their environment with Better Auth asked for nothing here
			f.warn(key, "Better Auth keeps signing people in: for Usher to do it, store.url has to be the database, PostgreSQL or SQLite")
		default:
			f.problem(key, "signing in writes users and accounts: store.url has to be the database, PostgreSQL or SQLite, and Redis store.secondary.url")
		}
		for i := before; shared && i < len(f.problems); i++ {
			f.problems[i].Warning = true
		}
	}
	if c.BetterAuth.URL == "" && !f.noted("better_auth.url") {
		f.problem("better_auth.url", "is where providers lead people back to; set it to the URL they use, as https://app.example.com")
		f.problems[len(f.problems)-1].Warning = !asked(c, f)
	}
	if path := c.AuthPath(); path == "/gate" || strings.HasPrefix(path, "/gate/") || path == "/sign-in" || path == "/account" {
		f.problem("better_auth.url", "the API below %s would take the place of Usher's own %s; choose another path", path, path)
	}
}

func checkProvider(c *Config, name string, f *findings) {
	p, key := c.OAuth.Providers[name], "oauth.providers."+name
	built := slices.Contains(f.builtIn, name)
	switch {
	case !providerName(name):
		f.problem(key, "a provider's name has letters, digits, - and _")
		return
	case !built && p.DiscoveryURL == "" && p.AuthorizationURL == "":
		f.problem(key, "is not built in%s; for any OpenID Connect provider set discovery_url", didYouMean(name, f.builtIn))
	}
	if p.ClientID == "" {
		f.problem(key+".client_id", "is missing; the provider shows it where you registered this app")
	}
	if p.ClientSecret.IsZero() && !f.noted(key+".client_secret") {
		f.warn(key+".client_secret", "is missing; most providers refuse to exchange a code without it")
	}
	for _, one := range []struct{ key, value string }{
		{"discovery_url", p.DiscoveryURL},
		{"authorization_url", p.AuthorizationURL},
		{"token_url", p.TokenURL},
		{"user_info_url", p.UserInfoURL},
		{"issuer", p.Issuer},
		{"authority", p.Authority},
		{"end_session_endpoint", p.EndSessionEndpoint},
		{"post_logout_redirect_uri", p.PostLogoutRedirectURI},
		{"redirect_uri", p.RedirectURI},
	} {
		if one.value == "" {
			continue
		}
		if message := absoluteURL(one.value); message != "" {
			f.problem(key+"."+one.key, "%s", message)
		} else if !confidential(one.value) && one.key != "redirect_uri" && one.key != "post_logout_redirect_uri" {
			f.problem(key+"."+one.key, "must be https, for secrets and identities travel there; plain http is for this machine's own addresses only")
		}
	}
	if p.LoginURL != "" && !hostName(p.LoginURL) {
		f.problem(key+".login_url", "%s: write a host, as acme.my.salesforce.com", quoted(p.LoginURL))
	}
	for _, one := range []struct {
		key   string
		value int64
	}{{"permissions", int64(p.Permissions)}, {"profile_photo_size", int64(p.ProfilePhotoSize)}, {"access_token_expires_in", int64(p.AccessTokenExpiresIn)}} {
		if one.value < 0 {
			f.problem(key+"."+one.key, "must not be negative")
		}
	}
	if p.Authentication != "" && p.Authentication != "post" && p.Authentication != "basic" {
		f.problem(key+".authentication", "%s: must be post or basic", quoted(p.Authentication))
	}
	if built && p.DiscoveryURL == "" && p.AllowIDPInitiated {
		f.problem(key+".allow_idp_initiated", "%s begins no sign-ins of its own; remove it", name)
	}
	if built && p.PKCE == Off && p.DiscoveryURL == "" {
		f.warn(key+".pkce", "without PKCE, a code that leaks on the way can be used by whoever finds it")
	}
}

// confidential reports whether nobody on the way can read what goes to a URL: https, or loopback.
func confidential(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(strings.Trim(u.Hostname(), "[]"))
	return u.Scheme == "https" || u.Hostname() == "localhost" || err == nil && address.IsLoopback()
}
