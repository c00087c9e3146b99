package provider

import (
	"net/http"
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
	if o.DiscoveryURL != "" || o.AuthorizationURL != "" && o.TokenURL != "" {
		if err := o.check(id, []string{
			"Prompt", "AccessType", "DiscoveryURL", "DiscoveryHeaders", "PKCE", "Authentication", "ResponseMode",
			"AuthorizationParams", "TokenParams", "RefreshParams", "TokenHeaders", "AccessTokenExpiresIn", "DisableNonce",
			"RequireIDToken", "AllowIDPInitiated", "EndSessionURL", "PostLogoutRedirect", "DisableLogout", "Issuer",
		}); err != nil {
			return nil, err
		}
		return newGeneric(id, o, caller, now)
	}
	return nil, misconfigured(id, "is no preset, and has neither a DiscoveryURL nor AuthorizationURL and TokenURL")
}
