package provider

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
)

// Options configure one provider, by Better Auth's names. An option the provider would ignore is a configuration error:
// somebody relies on it. Zero values are Better Auth's defaults.
type Options struct {
	Name         string   // for people; "" is the provider's own
	ClientIDs    []string // the first is used; id_tokens of native apps may be for any
	ClientSecret string
	Scopes       []string // besides the default ones
	RedirectURI  string   // "" is the callback the caller names

	DisableDefaultScope  bool
	DisableIDTokenSignIn bool

	DisableSignUp            bool
	DisableImplicitSignUp    bool
	OverrideUserInfoOnSignIn bool
	RequireEmailVerification bool

	// Where another instance lives: GitHub Enterprise, a proxy, a test. "" is the provider's own.
	AuthorizationURL, TokenURL, UserInfoURL string

	Prompt     string
	AccessType string // Google, Dropbox (as token_access_type), generic

	// Generic OIDC and OAuth2.
	DiscoveryURL         string // …/.well-known/openid-configuration
	DiscoveryHeaders     []Param
	PKCE                 *bool  // nil is true; also Zoom
	Authentication       string // post, basic or none; "" is post with a secret, none without
	ResponseMode         string
	AuthorizationParams  []Param // added to the authorization URL
	TokenParams          []Param // added to the code exchange
	RefreshParams        []Param // added to the refresh
	TokenHeaders         []Param // of exchange and refresh
	AccessTokenExpiresIn int     // seconds, where the provider does not say; 0 is unknown
	DisableNonce         bool
	RequireIDToken       bool // no identity without a verified id_token
	AllowIDPInitiated    bool // the flow may start at the provider; read by the caller
	EndSessionURL        string
	PostLogoutRedirect   string // absolute
	DisableLogout        bool

	Issuer  string // GitLab, Paybin; generic: what discovery must name
	HD      string // Google: the hosted domain people must belong to, "*" for any
	Display string // Google

	IncludeGrantedScopes *bool // Google; nil is true

	Tenant              string // Microsoft; "" is common
	Authority           string // Microsoft; "" is https://login.microsoftonline.com
	ProfilePhotoSize    int    // Microsoft, pixels; 0 is 48
	DisableProfilePhoto bool   // Microsoft

	Domain, Region, UserPoolID, IdentityProvider string // Cognito; the last is optional

	AppBundleID string   // Apple: the audience of native apps' id_tokens
	Audiences   []string // Apple: several of them

	ConfigID string   // Facebook
	Fields   []string // Facebook, besides id, name, email and picture

	ClientKey   string   // TikTok, in place of ClientIDs
	Environment string   // PayPal: "" is sandbox, live; Salesforce: "" is production, sandbox
	LoginURL    string   // Salesforce: the host of a domain of one's own
	Lang        string   // WeChat; "" is cn
	Duration    string   // Reddit: permanent gives a refresh token
	Permissions *uint64  // Discord, with the scope bot
	Claims      []string // Twitch
}

// String hides the secret and everything else.
func (o Options) String() string { return "provider options(redacted)" }

// Format hides them from every verb.
func (o Options) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(o.String())) }

// LogValue hides them from slog.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// MarshalJSON hides them from JSON.
func (o Options) MarshalJSON() ([]byte, error) { return []byte(`"provider options(redacted)"`), nil }

func (o *Options) clientID() string {
	if len(o.ClientIDs) == 0 {
		return ""
	}
	return o.ClientIDs[0]
}

// Rules are what linking reads.
func (o *Options) rules() AccountRules {
	return AccountRules{
		DisableSignUp: o.DisableSignUp, DisableImplicitSignUp: o.DisableImplicitSignUp,
		OverrideUserInfoOnSignIn: o.OverrideUserInfoOnSignIn, RequireEmailVerification: o.RequireEmailVerification,
	}
}

// common are the options every provider has. The others have an effect where a preset names them only.
func common() []string {
	return []string{
		"Name", "ClientIDs", "ClientSecret", "Scopes", "RedirectURI", "DisableDefaultScope", "DisableIDTokenSignIn",
		"DisableSignUp", "DisableImplicitSignUp", "OverrideUserInfoOnSignIn", "RequireEmailVerification",
		"AuthorizationURL", "TokenURL", "UserInfoURL",
	}
}

// unused names the options that are set and would change nothing.
func (o *Options) unused(taken ...string) []string {
	var names []string
	v := reflect.ValueOf(*o)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; !v.Field(i).IsZero() && !slices.Contains(taken, name) && !slices.Contains(common(), name) {
			names = append(names, name)
		}
	}
	return names
}

// check is what must hold of any provider's options.
func (o *Options) check(id string, taken []string) error {
	if len(id) > 64 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" || strings.Trim(id, ".") == "" {
		return misconfigured("provider id", "must be letters, digits, '-', '_' and '.', at most 64")
	}
	if names := o.unused(taken...); len(names) > 0 {
		return misconfigured(id, "has no use for %s", strings.Join(names, ", "))
	}
	if slices.Contains(o.ClientIDs, "") {
		return misconfigured(id, "an empty client id")
	}
	for name, raw := range map[string]string{
		"AuthorizationURL": o.AuthorizationURL, "TokenURL": o.TokenURL, "UserInfoURL": o.UserInfoURL, "RedirectURI": "",
		"DiscoveryURL": o.DiscoveryURL, "EndSessionURL": o.EndSessionURL, "Issuer": o.Issuer, "Authority": o.Authority,
	} {
		if raw != "" {
			if err := endpoint(raw); err != nil {
				return misconfigured(id, "%s %v", name, err)
			}
		}
	}
	return nil
}
