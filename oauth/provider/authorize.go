package provider

import (
	"slices"

	"golang.org/x/oauth2"

	"github.com/usherauth/usher/oauth/provider/wire"
)

// authorization is an authorization URL in the making: the parameters of Better Auth's createAuthorizationURL, in its
// order. Empty ones are left out.
type authorization struct {
	endpoint, responseType, clientID, state, scope, redirectURI, duration, display, loginHint, nonce, prompt, hd,
	accessType, responseMode, verifier, claims string
	additional []Param
}

// reserved are the parameters a flow depends on; nobody may set them from outside.
func reserved() []string {
	return []string{"state", "client_id", "redirect_uri", "response_type", "code_challenge", "code_challenge_method", "nonce", "scope"}
}

func (a *authorization) url() string {
	p := params("response_type", or(a.responseType, "code"), "client_id", a.clientID, "state", a.state)
	add := func(name, value string) {
		if value != "" {
			p = append(p, Param{Name: name, Value: value})
		}
	}
	add("scope", a.scope)
	p = append(p, Param{Name: "redirect_uri", Value: a.redirectURI})
	add("duration", a.duration)
	add("display", a.display)
	add("login_hint", a.loginHint)
	add("nonce", a.nonce)
	add("prompt", a.prompt)
	add("hd", a.hd)
	add("access_type", a.accessType)
	add("response_mode", a.responseMode)
	if a.verifier != "" {
		add("code_challenge_method", "S256")
		add("code_challenge", oauth2.S256ChallengeFromVerifier(a.verifier))
	}
	add("claims", a.claims)
	return wire.AppendQuery(a.endpoint, additional(p, a.additional))
}

// additional adds what is not reserved; what is there already gets a new value in its place.
func additional(p, more []Param, alsoReserved ...string) []Param {
	for _, m := range more {
		if !slices.Contains(reserved(), m.Name) && !slices.Contains(alsoReserved, m.Name) {
			p = wire.Set(p, m.Name, m.Value)
		}
	}
	return p
}

func or(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// params makes a list of names and values in turn.
func params(pairs ...string) []Param {
	list := make([]Param, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, Param{Name: pairs[i], Value: pairs[i+1]})
	}
	return list
}

// present leaves the empty ones out.
func present(list []Param) []Param {
	return slices.DeleteFunc(list, func(p Param) bool { return p.Value == "" })
}
