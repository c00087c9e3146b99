package oauthtest

import (
	"net/http"
	"strings"
	"time"
)

// Endpoint is one of the provider's; Google's and GitHub's count as the one of the same purpose.
type Endpoint string

// The endpoints.
const (
	Discovery    Endpoint = "discovery"
	JWKS         Endpoint = "jwks"
	AuthorizeURL Endpoint = "authorize"
	Token        Endpoint = "token"
	UserInfo     Endpoint = "userinfo"
	Emails       Endpoint = "emails" // GitHub's /user/emails
	EndSession   Endpoint = "end-session"
)

// Fault is how an endpoint fails. The zero value works. Several may be set; what they have in common decides.
type Fault struct {
	Slow     time.Duration // answers after that long, or never if the caller leaves before
	Down     bool          // hangs up without an answer
	Status   int           // answers with that and a JSON error
	Body     string        // answers 200 and that as JSON: junk, another object, a member twice
	Huge     bool          // answers with 2 MiB of valid JSON
	Redirect string        // answers 307 to that URL
	Times    int           // works again after that often; 0 is never
}

// Break makes an endpoint fail until Mend.
func (p *IdP) Break(e Endpoint, f Fault) { p.lock(func() { p.faults[e] = f }) }

// Mend ends all faults and lies.
func (p *IdP) Mend() { p.lock(func() { p.faults, p.lies = map[Endpoint]Fault{}, Lies{} }) }

// fail answers as a fault of the endpoint demands; false: there is none.
func (p *IdP) fail(w http.ResponseWriter, r *http.Request, e Endpoint) bool {
	p.mu.Lock()
	f, ok := p.faults[e]
	if ok && f.Times > 0 {
		if f.Times--; f.Times == 0 {
			delete(p.faults, e)
		} else {
			p.faults[e] = f
		}
	}
	p.mu.Unlock()
	if !ok {
		return false
	}
	if f.Slow > 0 {
		wait := time.NewTimer(f.Slow)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	switch {
	case f.Down:
		panic(http.ErrAbortHandler) // net/http hangs up and logs nothing
	case f.Redirect != "":
		w.Header().Set("Location", f.Redirect)
		w.WriteHeader(http.StatusTemporaryRedirect)
	case f.Status != 0:
		answer(w, f.Status, `{"error":"server_error","error_description":"broken on purpose"}`)
	case f.Body != "":
		answer(w, http.StatusOK, f.Body)
	case f.Huge:
		answer(w, http.StatusOK, `{"access_token":"at","sub":"sub-alice","keys":[],"filler":"`+strings.Repeat("x", 2<<20)+`"}`)
	default:
		return false // only slow
	}
	return true
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // whoever left does not read it
}

// Lies are what the provider says falsely while every endpoint works. The zero value is the truth.
type Lies struct {
	Issuer, Audience, Nonce, Sub string         // claims of the id_token in place of the true ones
	Claims                       map[string]any // more of them; nil leaves one out
	Expired                      bool           // exp an hour ago
	IssuedAt                     time.Duration  // shifts iat; exp stays where it is
	Algorithm                    string         // none, or HS256 with the public key as its secret
	UnknownKey                   bool           // signs with a key that is not in the set, under an id of its own each time
	StolenKeyID                  bool           // signs with such a key under the id of the true one
	NoIDToken, NoAccessToken     bool
	UserInfoSub                  string         // userinfo speaks of another subject
	UserInfo                     map[string]any // members of userinfo and of GitHub's /user; nil leaves one out
	CallbackIssuer               string         // `iss` of the callback (RFC 9207); "-" leaves it out
	State                        string         // `state` of the callback
	TokenMembers                 map[string]any // members of the token answer; nil leaves one out
	Metadata                     map[string]any // members of the discovery document; nil leaves one out
}

// Lie makes the provider lie until Mend.
func (p *IdP) Lie(l Lies) { p.lock(func() { p.lies = l }) }
