package provider

import (
	"context"
	"strings"
	"unicode"

	"github.com/usherauth/usher/oauth/provider/wire"
)

// apple answers with a form post, wants a JWT as client secret (made by whoever configures it, good for six months at
// most), and tells a person's name once, unsigned.
func apple() preset {
	return preset{
		name: "Apple", authorize: "https://appleid.apple.com/auth/authorize", token: "https://appleid.apple.com/auth/token",
		scopes: []string{"email", "name"}, pkce: pkceFull, secret: true, takes: []string{"AppBundleID"},
		shape: func(_ *Options, a *authorization) { a.responseType, a.responseMode = "code id_token", "form_post" },
		signed: &signed{
			issuers: []string{"https://appleid.apple.com"}, jwks: "https://appleid.apple.com/auth/keys", maxAge: maxTokenAge,
			nonceHash: true, native: true, audiences: appleAudiences, identify: applePerson,
		},
	}
}

func appleAudiences(o *Options) []string {
	if o.AppBundleID != "" {
		return []string{o.AppBundleID}
	}
	return o.ClientIDs
}

func applePerson(_ context.Context, _ *standard, claims *wire.Object, _ *Tokens, cb Callback) (*Identity, error) {
	name, told := AppleName(cb.AppleUser)
	if !told {
		name = claims.Text("name")
	}
	claims.Set("name", name)
	return identity(claims.Get("sub"), claims.Text("email"), name, nil, truth(claims.Get("email_verified")), claims)
}

// AppleName is the name in the `user` JSON of Apple's form post; false if it has none. It is good for showing only:
// nobody signed it. What is no readable character is left out.
func AppleName(user string) (string, bool) {
	if len(user) > 4<<10 {
		return "", false
	}
	o, err := wire.ParseObject([]byte(user))
	if err != nil {
		return "", false
	}
	if _, ok := o.Get("name").(*wire.Object); !ok {
		return "", false
	}
	name := strings.TrimSpace(o.Text("name", "firstName") + " " + o.Text("name", "lastName"))
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name)
	if runes := []rune(name); len(runes) > 200 {
		name = string(runes[:200])
	}
	return name, true
}
