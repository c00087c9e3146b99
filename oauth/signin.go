package oauth

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/flow"
	"github.com/usherauth/usher/oauth/provider"
)

// reserved are the parameters of an authorization URL that belong to the flow.
func reserved() []string {
	return []string{"state", "client_id", "redirect_uri", "response_type", "code_challenge", "code_challenge_method", "nonce", "scope"}
}

// mostParams is more than any provider has parameters. Each is looked for among the others.
const mostParams = 64

func text(name string) endpoint.Field {
	return endpoint.Field{Name: name, Type: endpoint.Text, Optional: true}
}

func flag(name string) endpoint.Field {
	return endpoint.Field{Name: name, Type: endpoint.Flag, Optional: true}
}

func providerField() endpoint.Field {
	return endpoint.Field{Name: "provider", Type: endpoint.Text, Says: "Invalid input"}
}

func texts(name string) endpoint.Field {
	return endpoint.Field{Name: name, Type: endpoint.Texts, Optional: true}
}

func additional() []endpoint.Field {
	return []endpoint.Field{
		{Name: "additionalParams", Type: endpoint.TextRecord, Optional: true, Refuse: func(v endpoint.Value) string {
			var names map[string]json.RawMessage
			if v.Len() > mostParams {
				return "too many parameters"
			}
			if err := json.Unmarshal(v.AppendJSON(nil), &names); err == nil && !slices.ContainsFunc(reserved(), func(name string) bool { return names[name] != nil }) {
				return ""
			}
			return "additionalParams cannot include reserved OAuth parameters: " + strings.Join(reserved(), ", ")
		}},
		{Name: "additionalData", Type: endpoint.AnyRecord, Optional: true},
	}
}

// signInBody is the library's socialSignInBodySchema.
func signInBody() *endpoint.Object {
	return &endpoint.Object{Fields: slices.Concat([]endpoint.Field{
		text("callbackURL"), text("newUserCallbackURL"), text("errorCallbackURL"), providerField(), flag("disableRedirect"),
		{Name: "idToken", Type: endpoint.Nested, Optional: true, Object: &endpoint.Object{Fields: []endpoint.Field{
			{Name: "token", Type: endpoint.Text},
			text("nonce"), text("accessToken"), text("refreshToken"),
			{Name: "expiresAt", Type: endpoint.Count, Optional: true},
			{Name: "user", Type: endpoint.Nested, Optional: true, Object: &endpoint.Object{Fields: []endpoint.Field{
				{Name: "name", Type: endpoint.Nested, Optional: true, Object: &endpoint.Object{Fields: []endpoint.Field{text("firstName"), text("lastName")}}},
				text("email"),
			}}},
		}}},
		texts("scopes"), flag("requestSignUp"), text("loginHint"),
	}, additional())}
}

func notFound(code, message string) *endpoint.Error {
	return &endpoint.Error{Status: http.StatusNotFound, Code: code, Message: message}
}

func noProvider() *endpoint.Error { return notFound("PROVIDER_NOT_FOUND", "Provider not found") }

// signIn is POST /sign-in/social.
func (s *Server) signIn(c *endpoint.Call) error {
	body, err := c.Body(signInBody())
	if err != nil {
		return err
	}
	p := s.provider(c.R.Context(), body.Text("provider"))
	if p == nil {
		return noProvider()
	}
	if body.Has("idToken") {
		return s.signInByToken(c, p, body)
	}
	to, err := s.begin(c, p, body, nil)
	if err != nil {
		return err
	}
	return answerURL(c, to, !body.True("disableRedirect"))
}

// answerURL tells the client's script where to go. The Location of a 200 is the library's.
func answerURL(c *endpoint.Call, to string, redirect bool) error {
	if redirect {
		c.W.Header().Set("Location", to)
	}
	b := record.AppendString([]byte(`{"url":`), to)
	b = append(b, `,"redirect":`...)
	return c.JSON(http.StatusOK, append(strconv.AppendBool(b, redirect), '}'))
}

// begin keeps a state and makes the URL of the provider's page. The body has been checked, its return URLs too.
func (s *Server) begin(c *endpoint.Call, p provider.Provider, body endpoint.Values, link *flow.Link) (string, error) {
	st := &flow.State{
		ID: flow.NewID(), CallbackURL: body.Text("callbackURL"), Verifier: flow.NewVerifier(),
		ErrorURL: body.Text("errorCallbackURL"), NewUserURL: body.Text("newUserCallbackURL"), Link: link,
		ExpiresAt: c.Now.Add(flow.StateAge), Provider: p.ID(),
	}
	if st.CallbackURL == "" {
		st.CallbackURL = s.config.Origins.Base()
	}
	if body.Has("requestSignUp") {
		wanted := body.True("requestSignUp")
		st.SignUp = &wanted
	}
	if signer, ok := p.(provider.Signer); ok && signer.WantsNonce() {
		st.Nonce = flow.NewNonce()
	}
	if body.Has("additionalData") {
		st.Additional = json.RawMessage(body.Value("additionalData").AppendJSON(nil))
	}
	to, err := p.Authorize(provider.Authorization{
		State: st.ID, Verifier: st.Verifier, Nonce: st.Nonce, RedirectURI: s.callbackURL(p), LoginHint: body.Text("loginHint"),
		Scopes: body.Texts("scopes"), Additional: params(body.Object("additionalParams")),
	})
	if err != nil {
		return "", err
	}
	return to, s.keep(c, st)
}

func params(v endpoint.Values) []provider.Param {
	var all []provider.Param
	for _, name := range v.Names() {
		all = append(all, provider.Param{Name: name, Value: v.Text(name)})
	}
	return all
}

// linkQuery is what GET /signin/{provider} takes.
func linkQuery() *endpoint.Object {
	return &endpoint.Object{Fields: []endpoint.Field{text("callbackURL"), text("errorCallbackURL"), text("newUserCallbackURL")}}
}

// signInByLink is GET /signin/{provider}: sign-in/social for a plain link, which needs no script.
func (s *Server) signInByLink(c *endpoint.Call) error {
	query, err := c.Query(linkQuery())
	if err != nil {
		return err
	}
	for name, code := range map[string]string{
		"callbackURL": "INVALID_CALLBACK_URL", "errorCallbackURL": "INVALID_ERROR_CALLBACK_URL", "newUserCallbackURL": "INVALID_NEW_USER_CALLBACK_URL",
	} {
		if to := query.Text(name); to != "" && !s.trusts(to, true) {
			return &endpoint.Error{Status: http.StatusForbidden, Code: code, Message: "Invalid " + name}
		}
	}
	p := s.provider(c.R.Context(), c.Param)
	if p == nil {
		return noProvider()
	}
	to, err := s.begin(c, p, query, nil)
	if err != nil {
		return err
	}
	return c.Redirect(to)
}
