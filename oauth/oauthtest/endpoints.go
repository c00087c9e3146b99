package oauthtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// route says which endpoint a request means and in whose shape it is answered: "", google or github.
func route(r *http.Request) (Endpoint, string) {
	switch r.Host + r.URL.Path {
	case "accounts.google.com/o/oauth2/v2/auth":
		return AuthorizeURL, "google"
	case "oauth2.googleapis.com/token":
		return Token, "google"
	case "www.googleapis.com/oauth2/v3/certs":
		return JWKS, "google"
	case "github.com/login/oauth/authorize":
		return AuthorizeURL, "github"
	case "github.com/login/oauth/access_token":
		return Token, "github"
	case "api.github.com/user":
		return UserInfo, "github"
	case "api.github.com/user/emails":
		return Emails, "github"
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		return Discovery, ""
	case "/jwks":
		return JWKS, ""
	case "/authorize":
		return AuthorizeURL, ""
	case "/token":
		return Token, ""
	case "/userinfo":
		return UserInfo, ""
	case "/end-session":
		return EndSession, ""
	}
	return "", ""
}

func (p *IdP) serve(w http.ResponseWriter, r *http.Request) {
	e, shape := route(r)
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || e == "" {
		http.NotFound(w, r)
		return
	}
	p.lock(func() {
		p.calls = append(p.calls, Call{Endpoint: e, Method: r.Method, URL: external(r), Body: string(body), Header: r.Header.Clone()})
	})
	if p.fail(w, r, e) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e {
	case Discovery:
		answer(w, http.StatusOK, object(p.metadata(), p.lies.Metadata))
	case JWKS:
		answer(w, http.StatusOK, p.keySet())
	case AuthorizeURL:
		p.authorize(w, r, shape)
	case Token:
		p.token(w, r, string(body), shape)
	case UserInfo:
		p.userInfo(w, r, shape)
	case Emails:
		p.emails(w, r)
	case EndSession:
		to := r.URL.Query().Get("post_logout_redirect_uri")
		if to == "" {
			to = p.URL
		}
		http.Redirect(w, r, to, http.StatusFound)
	}
}

func (p *IdP) metadata() map[string]any {
	return map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"userinfo_endpoint": p.URL + "/userinfo", "jwks_uri": p.URL + "/jwks", "end_session_endpoint": p.URL + "/end-session",
		"id_token_signing_alg_values_supported":          []string{"RS256", "ES256", "EdDSA", "none", "HS256"},
		"response_types_supported":                       []string{"code"},
		"authorization_response_iss_parameter_supported": true,
	}
}

// authorize consents at once and sends the browser back.
func (p *IdP) authorize(w http.ResponseWriter, r *http.Request, shape string) {
	q := r.URL.Query()
	to, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || !to.IsAbs() || q.Get("client_id") != ClientID || q.Get("response_type") != "code" || q.Get("state") == "" {
		answer(w, http.StatusBadRequest, `{"error":"invalid_request"}`)
		return
	}
	code := random("code-")
	p.codes[code] = &grant{
		person: p.person, redirectURI: q.Get("redirect_uri"), challenge: q.Get("code_challenge"), nonce: q.Get("nonce"),
		scope: q.Get("scope"), shape: shape,
	}
	back := to.Query()
	back.Set("code", code)
	back.Set("state", q.Get("state"))
	if p.lies.State != "" {
		back.Set("state", p.lies.State)
	}
	if shape == "" && p.lies.CallbackIssuer != "-" {
		back.Set("iss", p.URL)
		if p.lies.CallbackIssuer != "" {
			back.Set("iss", p.lies.CallbackIssuer)
		}
	}
	to.RawQuery = back.Encode()
	w.Header().Set("Location", to.String())
	w.WriteHeader(http.StatusFound)
}

// token redeems a code or a refresh token.
func (p *IdP) token(w http.ResponseWriter, r *http.Request, body, shape string) {
	form, err := url.ParseQuery(body)
	if err != nil || r.Method != http.MethodPost || !proven(r, form) {
		answer(w, http.StatusUnauthorized, `{"error":"invalid_client"}`)
		return
	}
	var (
		person Person
		scope  string
		nonce  string
	)
	switch form.Get("grant_type") {
	case "authorization_code":
		g := p.redeem(form)
		if g == nil {
			// GitHub answers 200 here, everybody else 400.
			status := http.StatusBadRequest
			if shape == "github" {
				status = http.StatusOK
			}
			answer(w, status, `{"error":"invalid_grant","error_description":"the code `+form.Get("code")+` is not good"}`)
			return
		}
		person, scope, nonce = g.person, g.scope, g.nonce
	case "refresh_token":
		known, ok := p.refresh[form.Get("refresh_token")]
		if !ok {
			answer(w, http.StatusBadRequest, `{"error":"invalid_grant"}`)
			return
		}
		person, scope = known, "openid profile email"
	default:
		answer(w, http.StatusBadRequest, `{"error":"unsupported_grant_type"}`)
		return
	}
	access, refresh := random("at-"), random("rt-")
	p.access[access], p.refresh[refresh] = person, person
	members := map[string]any{"access_token": access, "token_type": "Bearer", "scope": scope}
	if shape == "github" {
		members["token_type"], members["scope"] = "bearer", strings.ReplaceAll(scope, " ", ",")
	} else {
		members["expires_in"], members["refresh_token"] = 3600, refresh
		if !p.lies.NoIDToken {
			members["id_token"] = p.idToken(person, nonce, shape)
		}
	}
	if p.lies.NoAccessToken {
		delete(members, "access_token")
	}
	answer(w, http.StatusOK, object(members, p.lies.TokenMembers))
}

// proven is the client by body or by Basic, never both.
func proven(r *http.Request, form url.Values) bool {
	id, secret, basic := r.BasicAuth()
	if !basic {
		return form.Get("client_id") == ClientID && form.Get("client_secret") == ClientSecret
	}
	id, err := url.QueryUnescape(id)
	if err != nil {
		return false
	}
	secret, err = url.QueryUnescape(secret)
	return err == nil && id == ClientID && secret == ClientSecret && !form.Has("client_secret")
}

// redeem takes a code once, for the redirect URI and the PKCE challenge it was given for.
func (p *IdP) redeem(form url.Values) *grant {
	g, ok := p.codes[form.Get("code")]
	if !ok {
		return nil
	}
	if g.used {
		p.replays++
		return nil
	}
	g.used = true
	verifier := form.Get("code_verifier")
	sum := sha256.Sum256([]byte(verifier))
	challenged := g.challenge == "" && verifier == "" || g.challenge == base64.RawURLEncoding.EncodeToString(sum[:])
	if !challenged || form.Get("redirect_uri") != g.redirectURI {
		return nil
	}
	return g
}

func (p *IdP) bearer(r *http.Request) (Person, bool) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	person, known := p.access[token]
	return person, ok && known
}

func (p *IdP) userInfo(w http.ResponseWriter, r *http.Request, shape string) {
	person, ok := p.bearer(r)
	if !ok {
		answer(w, http.StatusUnauthorized, `{"error":"invalid_token"}`)
		return
	}
	if shape == "github" {
		email := any(person.Email)
		if person.Email == "" {
			email = nil
		}
		members := map[string]any{
			"id": person.GitHubID, "login": person.Login, "name": person.Name, "avatar_url": person.Picture, "email": email,
		}
		answer(w, http.StatusOK, object(members, p.lies.UserInfo))
		return
	}
	claims := person.claims()
	if p.lies.UserInfoSub != "" {
		claims["sub"] = p.lies.UserInfoSub
	}
	answer(w, http.StatusOK, object(claims, p.lies.UserInfo))
}

func (p *IdP) emails(w http.ResponseWriter, r *http.Request) {
	person, ok := p.bearer(r)
	if !ok {
		answer(w, http.StatusUnauthorized, `{"message":"Requires authentication"}`)
		return
	}
	list := person.Emails
	if list == nil {
		list = []GitHubEmail{{Email: person.Email, Primary: true, Verified: person.Verified}}
	}
	b, err := json.Marshal(list)
	if err != nil {
		answer(w, http.StatusInternalServerError, `{}`)
		return
	}
	answer(w, http.StatusOK, string(b))
}

// claims are what a person's id_token and userinfo have in common.
func (p Person) claims() map[string]any {
	c := map[string]any{"sub": p.Sub}
	if p.Email != "" {
		c["email"], c["email_verified"] = p.Email, p.Verified
	}
	if p.Name != "" {
		c["name"] = p.Name
	}
	if p.Picture != "" {
		c["picture"] = p.Picture
	}
	maps.Copy(c, p.Extra)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// object writes members, some of them replaced.
func object(members, over map[string]any) string {
	members = maps.Clone(members)
	for k, v := range over {
		if members[k] = v; v == nil {
			delete(members, k)
		}
	}
	b, err := json.Marshal(members)
	if err != nil {
		return fmt.Sprintf(`{"error":%q}`, err)
	}
	return string(b)
}

// Consent does what a browser does with an authorization URL, and returns where it would be sent back to.
func (p *IdP) Consent(authorizeURL string) (*url.URL, error) {
	req, err := http.NewRequest(http.MethodGet, authorizeURL, http.NoBody) //nolint:noctx // bounded by the client
	if err != nil {
		return nil, err
	}
	client := p.Client()
	client.Timeout = 10 * time.Second
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return nil, fmt.Errorf("authorize: status %d %s %w", resp.StatusCode, text, err)
	}
	return resp.Location()
}
