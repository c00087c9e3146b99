package provider

import (
	"errors"
	"strings"

	"github.com/usherauth/usher/oauth/provider/wire"
)

// path leads to a member, from the outside in.
type path []string

// at is a path.
func at(keys ...string) path { return keys }

// mapping says where a profile has what. Of several paths the first that leads to a text counts.
type mapping struct {
	profile     path // to the profile account-info shows; empty is the whole answer
	id          path // seen from the profile, as all that follows
	name, image []path
	email       path
	verified    path   // empty: never verified
	truthy      bool   // verified is what JavaScript takes for true, not only true and "true"
	placeholder string // namespace of the address for people without one; "" leaves them without
	bareImage   bool   // the image without its query
	refuse      func(answer *wire.Object) bool
}

// oidcUser is the profile of OpenID Connect.
func oidcUser() mapping {
	return mapping{id: at("sub"), name: []path{at("name")}, email: at("email"), image: []path{at("picture")}, verified: at("email_verified")}
}

func (m mapping) identity(answer *wire.Object) (*Identity, error) {
	if m.refuse != nil && m.refuse(answer) {
		return nil, errors.New("the profile says that it is none")
	}
	profile := answer
	if len(m.profile) > 0 {
		var ok bool
		if profile, ok = answer.Get(m.profile...).(*wire.Object); !ok {
			return nil, errors.New("the answer has no profile")
		}
	}
	email := profile.Text(m.email...)
	if len(m.email) == 0 {
		email = ""
	}
	verified := false
	if len(m.verified) > 0 {
		v := profile.Get(m.verified...)
		verified = truth(v) || m.truthy && wire.Truthy(v)
	}
	if email == "" {
		verified = false
		if m.placeholder != "" {
			id, err := accountID(profile.Get(m.id...))
			if err != nil {
				return nil, err
			}
			if email = placeholder(id, m.placeholder); !oneReading(email) {
				return nil, errors.New("the account id makes no address")
			}
		}
	}
	image := first(profile, m.image)
	if m.bareImage {
		image, _, _ = strings.Cut(image, "?")
	}
	return identity(profile.Get(m.id...), email, first(profile, m.name), image, verified, profile)
}

func first(profile *wire.Object, paths []path) string {
	for _, p := range paths {
		if s := profile.Text(p...); s != "" {
			return s
		}
	}
	return ""
}
