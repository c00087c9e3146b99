package oauth

import (
	"errors"
	"net/http"
	"strings"

	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/provider"
)

func unauthorized(code, message string) *endpoint.Error {
	return &endpoint.Error{Status: http.StatusUnauthorized, Code: code, Message: message}
}

// tokenIdentity is whom an id_token speaks of that an app got by itself.
func (s *Server) tokenIdentity(c *endpoint.Call, p provider.Provider, given endpoint.Values) (*provider.Identity, error) {
	verifier, ok := p.(provider.IDTokenVerifier)
	if !ok {
		return nil, notFound("ID_TOKEN_NOT_SUPPORTED", "id_token not supported")
	}
	identity, err := verifier.VerifyIDToken(c.R.Context(), given.Text("token"), given.Text("nonce"))
	if errors.Is(err, provider.ErrOpaqueToken) {
		identity, err = p.Identify(c.R.Context(), &provider.Tokens{Access: given.TextOrNil("accessToken")}, provider.Callback{})
		if err != nil {
			c.Log.WarnContext(c.R.Context(), "sign-in server: no identity", "provider", p.ID(), "error", err)
			return nil, unauthorized("FAILED_TO_GET_USER_INFO", "Failed to get user info")
		}
	}
	switch {
	case err != nil:
		c.Log.WarnContext(c.R.Context(), "sign-in server: an id_token was refused", "provider", p.ID(), "error", err)
		return nil, unauthorized("INVALID_TOKEN", "Invalid token")
	case identity.Email == "":
		return nil, unauthorized("USER_EMAIL_NOT_FOUND", "User email not found")
	}
	if name := given.Object("user").Object("name"); p.ID() == "apple" && identity.Name == "" {
		// Apple tells a name to the app alone, once. It is unsigned, and nothing but a name to show.
		shown := *identity
		shown.Name = strings.TrimSpace(name.Text("firstName") + " " + name.Text("lastName"))
		identity = &shown
	}
	return identity, nil
}

// tokenTokens are what an account keeps then. The library drops a refresh token at sign-in.
func tokenTokens(given endpoint.Values, refreshToo bool) *provider.Tokens {
	t := &provider.Tokens{ID: given.TextOrNil("token"), Access: given.TextOrNil("accessToken")}
	if refreshToo {
		t.Refresh = given.TextOrNil("refreshToken")
	}
	return t
}

// signInByToken is the branch of sign-in/social for apps that bring an id_token.
func (s *Server) signInByToken(c *endpoint.Call, p provider.Provider, body endpoint.Values) error {
	given := body.Object("idToken")
	identity, err := s.tokenIdentity(c, p, given)
	if err != nil {
		return s.refuseToken(c, p, "", err)
	}
	cl := &claim{provider: p, identity: identity, tokens: tokenTokens(given, false), signUp: body.True("requestSignUp")}
	v, err := s.identify(c.R.Context(), cl, c.Now)
	switch {
	case err != nil:
		c.Log.ErrorContext(c.R.Context(), "sign-in server: an identity could not be looked up", "provider", p.ID(), "error", err)
		return s.refuse(c, p.ID(), identity.AccountID, &refusal{code: internalError})
	case v.code == bannedUser:
		return s.refuseToken(c, p, identity.AccountID, &endpoint.Error{Status: http.StatusForbidden, Code: bannedUser, Message: bannedMessage})
	case v.code == emailUnproven:
		return s.refuseToken(c, p, identity.AccountID, &endpoint.Error{Status: http.StatusForbidden, Code: "EMAIL_NOT_VERIFIED", Message: "Email not verified"})
	case v.code != "":
		return s.refuseToken(c, p, identity.AccountID, unauthorized("OAUTH_LINK_ERROR", strings.ReplaceAll(v.code, "_", " ")))
	}
	session, err := s.open(c, v.user)
	if err != nil {
		return err
	}
	c.SetSession(session.Token, !c.DontRemember())
	s.tellSession(c, cl, v, session.ID)
	b := append([]byte(`{"redirect":false,"token":"`), session.Token...)
	b = append(b, `","user":`...)
	return c.JSON(http.StatusOK, append(v.user.AppendJSON(b, s.config.Store.Shape()), '}'))
}

func (s *Server) refuseToken(c *endpoint.Call, p provider.Provider, account string, err error) error {
	reason := "internal"
	if known, ok := errors.AsType[*endpoint.Error](err); ok {
		if reason = known.Code; known.Code == "OAUTH_LINK_ERROR" {
			reason = known.Message
		}
	}
	s.tell(c, Event{Kind: Refused, Provider: p.ID(), Account: account, Reason: reason})
	return err
}
