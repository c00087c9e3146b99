package oauth

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/flow"
	"github.com/usherauth/usher/oauth/provider"
)

// known are the parameters a provider may send back, in the library's order. Everything else is dropped.
func known() []string {
	return []string{"code", "error", "device_id", "error_description", "state", "user", "iss"}
}

func callbackFields() *endpoint.Object {
	o := &endpoint.Object{Optional: true}
	for _, name := range known() {
		o.Fields = append(o.Fields, text(name))
	}
	return o
}

// callbackByForm is POST /callback/{provider}, on which some providers answer. The browser sends no Lax cookies with it,
// so it is led to the same place by GET, which has them.
func (s *Server) callbackByForm(c *endpoint.Call) error {
	body, err := c.Body(callbackFields())
	if err != nil {
		return err
	}
	query, err := c.Query(callbackFields())
	if err != nil {
		return err
	}
	var pairs []string
	for _, name := range known() {
		value := query.TextOrNil(name)
		if value == nil {
			value = body.TextOrNil(name)
		}
		if value != nil {
			pairs = append(pairs, name+"="+flow.Form(*value))
		}
	}
	return c.Redirect(s.api + "/callback/" + c.Param + "?" + strings.Join(pairs, "&"))
}

// callback is GET /callback/{provider}, in the order of better-auth-oauth.md, section 2.2.
func (s *Server) callback(c *endpoint.Call) error {
	query, err := c.Query(callbackFields())
	if err != nil {
		return err
	}
	if query.Text("state") == "" {
		if p := s.freely(c, query); p != nil {
			to, err := s.begin(c, p, endpoint.Values{}, nil)
			if err != nil {
				return err
			}
			return c.Redirect(to)
		}
		return s.refuse(c, "", "", &refusal{code: "state_not_found"})
	}
	state, no := s.take(c, query.Text("state"))
	s.sweep(c)
	if no != nil {
		return s.refuse(c, "", "", no)
	}
	return s.finish(c, query, state)
}

// freely is the provider at which a flow may begin; nil: none.
func (s *Server) freely(c *endpoint.Call, query endpoint.Values) provider.Provider {
	if !slices.Contains(s.config.IDPInitiated, c.Param) || query.Has("state") || query.Text("code") == "" {
		return nil
	}
	return s.provider(c.R.Context(), c.Param)
}

// finish turns a state that was used up and the provider's answer into a session or a linked account.
func (s *Server) finish(c *endpoint.Call, query endpoint.Values, state *flow.State) error {
	no := func(code string) error {
		return s.refuse(c, c.Param, "", &refusal{code: code, target: state.ErrorURL})
	}
	// A state belongs to the provider it was made for: otherwise one provider could have another's codes redeemed
	// (mix-up; GHSA-x445 of NextAuth). States that Better Auth began name none.
	if state.Provider != "" && state.Provider != c.Param && s.providers[c.Param] != nil {
		return no(stateMismatch)
	}
	if code := query.Text("error"); code != "" {
		return s.refuse(c, c.Param, "", &refusal{code: code, description: query.Text("error_description"), target: state.ErrorURL})
	}
	if query.Text("code") == "" {
		return no("no_code")
	}
	p := s.provider(c.R.Context(), c.Param)
	if p == nil {
		return no("oauth_provider_not_found")
	}
	tokens, identity, code := s.exchange(c, p, query, state)
	switch {
	case code != "":
		return no(code)
	case state.CallbackURL == "":
		return no("no_callback_url")
	}
	cl := &claim{
		provider: p, identity: identity, tokens: tokens, scope: &tokens.ScopeText, override: true,
		signUp: state.SignUp != nil && *state.SignUp,
	}
	if state.Link != nil {
		return s.finishLink(c, cl, state)
	}
	return s.finishSignIn(c, cl, state)
}

// exchange trades the code for an identity, or says why not.
func (s *Server) exchange(c *endpoint.Call, p provider.Provider, query endpoint.Values, state *flow.State) (*provider.Tokens, *provider.Identity, string) {
	if signer, ok := p.(provider.Signer); ok {
		if err := signer.CheckIssuer(query.Text("iss")); err != nil {
			return nil, nil, issuerMismatch
		}
		if signer.WantsNonce() && state.Nonce == "" {
			return nil, nil, nonceMissing
		}
	}
	tokens, err := p.Exchange(c.R.Context(), provider.Exchange{
		Code: query.Text("code"), Verifier: state.Verifier, RedirectURI: s.callbackURL(p), DeviceID: query.Text("device_id"),
	})
	var identity *provider.Identity
	if err == nil {
		identity, err = p.Identify(c.R.Context(), tokens, provider.Callback{Nonce: state.Nonce, AppleUser: query.Text("user")})
	}
	if err == nil {
		return tokens, identity, ""
	}
	c.Log.WarnContext(c.R.Context(), "sign-in server: the provider did not establish an identity", "provider", p.ID(), "error", err)
	switch {
	case errors.Is(err, provider.ErrNoAccess): // the library goes on, and fails when it asks who it is
		return nil, nil, noUserInfo
	case errors.Is(err, provider.ErrExchange):
		return nil, nil, invalidCode
	case errors.Is(err, provider.ErrNoNonce):
		return nil, nil, nonceMissing
	}
	return nil, nil, noUserInfo
}

func (s *Server) finishSignIn(c *endpoint.Call, cl *claim, state *flow.State) error {
	no := func(code, description string) error {
		return s.refuse(c, c.Param, cl.identity.AccountID, &refusal{code: code, description: description, target: state.ErrorURL})
	}
	if cl.identity.Email == "" {
		return no(noEmail, "")
	}
	v, err := s.identify(c.R.Context(), cl, c.Now)
	switch {
	case errors.Is(err, errEmailOfAnother):
		c.W.Header().Del("Set-Cookie") // as the library, which fails here without any
		return err
	case err != nil:
		c.Log.ErrorContext(c.R.Context(), "sign-in server: an identity could not be looked up", "provider", c.Param, "error", err)
		return s.refuse(c, c.Param, cl.identity.AccountID, &refusal{code: internalError})
	case v.code == bannedUser:
		return no(bannedUser, bannedMessage)
	case v.code != "":
		return no(v.code, "")
	}
	session, err := s.open(c, v.user)
	if err != nil {
		c.Log.ErrorContext(c.R.Context(), "sign-in server: a session could not be made", "error", err)
		return no(noSession, "")
	}
	c.SetSession(session.Token, !c.DontRemember())
	s.tellSession(c, cl, v, session.ID)
	to := state.CallbackURL
	if v.isNew && state.NewUserURL != "" {
		to = state.NewUserURL
	}
	return c.Redirect(flow.Location(to))
}

func (s *Server) tellSession(c *endpoint.Call, cl *claim, v verdict, session string) {
	kind := SignedIn
	if v.isNew {
		kind = SignedUp
	}
	s.tell(c, Event{Kind: kind, Provider: cl.provider.ID(), UserID: v.user.ID, Account: cl.identity.AccountID, Session: session})
}

// refuse tells an error in a redirect, and the audit log.
func (s *Server) refuse(c *endpoint.Call, providerID, account string, no *refusal) error {
	s.tell(c, Event{Kind: Refused, Provider: providerID, Account: account, Reason: shortened(no.code)})
	target := no.target
	if target == "" {
		target = s.errors
	}
	to, ok := flow.ErrorURL(target, no.code, no.description)
	if !ok { // a state of the library's may hold what we never admit
		to, _ = flow.ErrorURL(s.errors, no.code, no.description)
	}
	return c.Redirect(to)
}

// shortened is as much of a provider's word as a log repeats.
func shortened(code string) string {
	const most = 64
	if len(code) > most {
		code = code[:most]
	}
	return url.QueryEscape(code)
}
