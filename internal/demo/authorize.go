package demo

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// question is a request to authorize, as the companion makes it.
type question struct {
	state, nonce, challenge, scope string
}

// errUnanswerable is a request whose answer has nowhere to go: leading a browser to a place that no client registered would
// make an open redirector of us (RFC 6749, section 4.1.2.1).
var errUnanswerable = errors.New("unknown client or redirect_uri")

// read takes the question out of a request. code is for the client: what is wrong with it, in the words of RFC 6749.
func (p *provider) read(r *http.Request) (q question, code string, err error) {
	v, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || !only(v, "client_id", p.clientID) || !only(v, "redirect_uri", p.redirectURI) {
		return q, "", errUnanswerable
	}
	q = question{v.Get("state"), v.Get("nonce"), v.Get("code_challenge"), v.Get("scope")}
	for _, values := range v {
		if len(values) != 1 {
			return q, "invalid_request", nil
		}
	}
	switch {
	case !only(v, "response_type", "code"):
		return q, "unsupported_response_type", nil
	case !slices.Contains(strings.Fields(q.scope), "openid"):
		return q, "invalid_scope", nil
	case q.state == "", !only(v, "code_challenge_method", "S256"), !isChallenge(q.challenge):
		return q, "invalid_request", nil
	}
	return q, "", nil
}

// only reports whether a parameter is there once and has this value.
func only(v url.Values, name, value string) bool { return len(v[name]) == 1 && v[name][0] == value }

// show asks who somebody is today.
func (p *provider) show(w http.ResponseWriter, r *http.Request) {
	q, code, err := p.read(r)
	switch {
	case err != nil:
		unanswerable(w)
	case code != "":
		p.answer(w, q, "error", code)
	default:
		render(w, whoPage(), http.StatusOK, whoView{People: p.people, Nobody: nobody})
	}
}

// nobody is the choice of whoever would rather not sign in.
const nobody = "nobody"

// decide takes the choice. The question stands in the form's own URL and is read anew.
func (p *provider) decide(w http.ResponseWriter, r *http.Request) {
	q, code, err := p.read(r)
	if err != nil {
		unanswerable(w)
		return
	}
	if code != "" {
		p.answer(w, q, "error", code)
		return
	}
	chosen := r.PostFormValue("person")
	if chosen == nobody {
		p.answer(w, q, "error", "access_denied")
		return
	}
	for i := range p.people {
		if p.people[i].Key != chosen {
			continue
		}
		made, ok := p.codes.put(grant{person: &p.people[i], nonce: q.nonce, challenge: q.challenge, scope: q.scope}, p.now())
		if !ok {
			p.answer(w, q, "error", "temporarily_unavailable")
			return
		}
		p.answer(w, q, "code", made)
		return
	}
	http.Error(w, "Nobody of that name lives here.", http.StatusBadRequest)
}

// answer leads the browser back to the companion.
func (p *provider) answer(w http.ResponseWriter, q question, name, value string) {
	v := url.Values{name: {value}, "iss": {p.issuer}}
	if q.state != "" {
		v.Set("state", q.state)
	}
	h := w.Header()
	h.Set("Location", p.redirectURI+"?"+v.Encode())
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
}

func unanswerable(w http.ResponseWriter) {
	http.Error(w, "This provider knows one client and one redirect_uri, and this request names others.", http.StatusBadRequest)
}

// isChallenge reports whether a text is a SHA-256 in base64url (RFC 7636, section 4.2).
func isChallenge(text string) bool {
	sum, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(sum) == sha256.Size && len(text) == 43 // line breaks would be skipped
}
