package provider

import "github.com/usherauth/usher/oauth/provider/wire"

// google signs under two names, and can be held to one Workspace domain.
func google() preset {
	return preset{
		name: "Google", authorize: "https://accounts.google.com/o/oauth2/v2/auth", token: "https://oauth2.googleapis.com/token",
		scopes: []string{"email", "profile", "openid"}, pkce: pkceFull, hint: true, secret: true,
		takes: []string{"Prompt", "AccessType", "Display", "HD", "IncludeGrantedScopes"}, user: oidcUser(),
		shape: func(o *Options, a *authorization) { a.accessType, a.display, a.hd = o.AccessType, o.Display, o.HD },
		extra: func(o *Options, _ []string) []Param {
			if o.IncludeGrantedScopes != nil && !*o.IncludeGrantedScopes {
				return nil
			}
			return params("include_granted_scopes", "true")
		},
		signed: &signed{
			issuers: []string{"https://accounts.google.com", "accounts.google.com"},
			jwks:    "https://www.googleapis.com/oauth2/v3/certs", maxAge: maxTokenAge, native: true, claims: googleDomain,
		},
	}
}

// googleDomain wants the claim hd: the parameter hd only suggests an account, and an address of the domain does not
// prove membership.
func googleDomain(o *Options) func(*wire.Object) bool {
	if o.HD == "" {
		return nil
	}
	return func(claims *wire.Object) bool {
		hd := claims.Text("hd")
		return hd != "" && (o.HD == "*" || hd == o.HD)
	}
}
