package provider

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
)

// Options configure one provider, by Better Auth's names; the tag is the key that operators write. An option the provider
// would ignore is a configuration error: somebody relies on it. Zero values are Better Auth's defaults.
type Options struct {
	Name         string   `key:"name"`      // for people; "" is the provider's own
	ClientIDs    []string `key:"client_id"` // the first is used; id_tokens of native apps may be for any. TikTok calls it client key
	ClientSecret string   `key:"client_secret"`
	Scopes       []string `key:"scopes"`       // besides the default ones
	RedirectURI  string   `key:"redirect_uri"` // "" is the callback the caller names

	DisableDefaultScope  bool `key:"disable_default_scope"`
	DisableIDTokenSignIn bool `key:"disable_id_token_sign_in"`

	DisableSignUp            bool `key:"disable_sign_up"`
	DisableImplicitSignUp    bool `key:"disable_implicit_sign_up"`
	OverrideUserInfoOnSignIn bool `key:"override_user_info_on_sign_in"`
	RequireEmailVerification bool `key:"require_email_verification"`

	// Where another instance lives: GitHub Enterprise, a proxy, a test. "" is the provider's own.
	AuthorizationURL string `key:"authorization_url"`
	TokenURL         string `key:"token_url"`
	UserInfoURL      string `key:"user_info_url"`

	Prompt     string `key:"prompt"`
	AccessType string `key:"access_type"` // Google, Dropbox (as token_access_type), generic

	// Generic OIDC and OAuth2.
	DiscoveryURL         string  `key:"discovery_url"`  // …/.well-known/openid-configuration
	PKCE                 *bool   `key:"pkce"`           // nil is true; also Zoom
	Authentication       string  `key:"authentication"` // post, basic or none; "" is post with a secret, none without
	ResponseMode         string  `key:"response_mode"`
	AuthorizationParams  []Param `key:"authorization_url_params"` // added to the authorization URL
	TokenParams          []Param `key:"token_url_params"`         // added to the code exchange
	RefreshParams        []Param `key:"refresh_token_params"`     // added to the refresh
	AccessTokenExpiresIn int     `key:"access_token_expires_in"`  // seconds, where the provider does not say; 0 is unknown
	DisableNonce         bool    `key:"disable_id_token_nonce_binding"`
	RequireIDToken       bool    `key:"require_id_token_verification"` // no identity without a verified id_token
	EndSessionURL        string  `key:"end_session_endpoint"`
	PostLogoutRedirect   string  `key:"post_logout_redirect_uri"` // absolute
	DisableLogout        bool    `key:"disable_provider_logout"`

	Issuer  string `key:"issuer"`  // GitLab, Paybin; generic: what discovery must name
	HD      string `key:"hd"`      // Google: the hosted domain people must belong to, "*" for any
	Display string `key:"display"` // Google

	IncludeGrantedScopes *bool `key:"include_granted_scopes"` // Google; nil is true

	Tenant              string `key:"tenant_id"`             // Microsoft; "" is common
	Authority           string `key:"authority"`             // Microsoft; "" is https://login.microsoftonline.com
	ProfilePhotoSize    int    `key:"profile_photo_size"`    // Microsoft, pixels; 0 is 48
	DisableProfilePhoto bool   `key:"disable_profile_photo"` // Microsoft

	// Cognito; the last is optional.
	Domain           string `key:"domain"`
	Region           string `key:"region"`
	UserPoolID       string `key:"user_pool_id"`
	IdentityProvider string `key:"identity_provider"`

	AppBundleID string   `key:"app_bundle_identifier"` // Apple: the audience of native apps' id_tokens
	ConfigID    string   `key:"config_id"`             // Facebook
	Fields      []string `key:"fields"`                // Facebook, besides id, name, email and picture
	Environment string   `key:"environment"`           // PayPal: "" is sandbox, live; Salesforce: "" is production, sandbox
	LoginURL    string   `key:"login_url"`             // Salesforce: the host of a domain of one's own
	Lang        string   `key:"lang"`                  // WeChat; "" is cn
	Duration    string   `key:"duration"`              // Reddit: permanent gives a refresh token
	Permissions *uint64  `key:"permissions"`           // Discord, with the scope bot
	Claims      []string `key:"claims"`                // Twitch
}

// Key is what operators call an option: the tag of its field. It panics on a name that is none.
func Key(option string) string {
	field, ok := reflect.TypeFor[Options]().FieldByName(option)
	if !ok {
		panic("provider: no option " + option)
	}
	return field.Tag.Get("key")
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

// unused are the keys that are set and would change nothing.
func (o *Options) unused(taken ...string) []string {
	var names []string
	v := reflect.ValueOf(*o)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; !v.Field(i).IsZero() && !slices.Contains(taken, name) && !slices.Contains(common(), name) {
			names = append(names, Key(name))
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
		"AuthorizationURL": o.AuthorizationURL, "TokenURL": o.TokenURL, "UserInfoURL": o.UserInfoURL,
		"DiscoveryURL": o.DiscoveryURL, "EndSessionURL": o.EndSessionURL, "Issuer": o.Issuer, "Authority": o.Authority,
	} {
		if raw != "" {
			if err := endpoint(raw); err != nil {
				return misconfigured(id, "%s %v", Key(name), err)
			}
		}
	}
	return nil
}
