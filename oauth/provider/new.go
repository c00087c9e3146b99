package provider

import (
	"net/http"
	"strings"
	"time"

	"github.com/usherauth/usher/oauth/provider/wire"
)

// New is the provider of that id: a preset by name, or generic where options have a discovery URL, or endpoints and a
// name that is no preset. Better Auth, too, lets a generic provider take the place of a preset. Only the transport of client is used; nil
// is the standard library's. now nil is time.Now. All errors are ErrConfig; nothing is asked over the network.
func New(id string, o Options, client *http.Client, now func() time.Time) (Provider, error) {
	if now == nil {
		now = time.Now
	}
	caller := wire.NewCaller(client)
	row, preset := presets()[id]
	if preset && o.DiscoveryURL == "" {
		if err := o.check(id, row.takes); err != nil {
			return nil, err
		}
		return newPreset(id, row, o, caller, now)
	}
	if o.DiscoveryURL != "" || o.AuthorizationURL != "" && o.TokenURL != "" {
		if err := o.check(id, genericOptions()); err != nil {
			return nil, err
		}
		return newGeneric(id, o, caller, now)
	}
	return nil, misconfigured(id, "is no preset (%s), and has neither a discovery_url nor authorization_url and token_url", strings.Join(Presets(), ", "))
}

// genericOptions are those that have an effect on a generic provider, besides the common ones.
func genericOptions() []string {
	return []string{
		"Prompt", "AccessType", "DiscoveryURL", "PKCE", "Authentication", "ResponseMode",
		"AuthorizationParams", "TokenParams", "RefreshParams", "AccessTokenExpiresIn", "DisableNonce",
		"RequireIDToken", "EndSessionURL", "PostLogoutRedirect", "DisableLogout", "Issuer",
	}
}
