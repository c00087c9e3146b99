package oauth

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/flow"
	"github.com/usherauth/usher/oauth/provider"
	"github.com/usherauth/usher/store/accounts"
)

// linkBody is what POST /link-social takes, in the library's order.
func linkBody() *endpoint.Object {
	return &endpoint.Object{Fields: slices.Concat([]endpoint.Field{
		text("callbackURL"), providerField(),
		{Name: "idToken", Type: endpoint.Nested, Optional: true, Object: &endpoint.Object{Fields: []endpoint.Field{
			{Name: "token", Type: endpoint.Text}, text("nonce"), text("accessToken"), text("refreshToken"),
		}}},
		flag("requestSignUp"), texts("scopes"), text("errorCallbackURL"), flag("disableRedirect"), text("loginHint"),
	}, additional())}
}

// link is POST /link-social: somebody signed in adds an identity.
func (s *Server) link(c *endpoint.Call) error {
	body, err := c.Body(linkBody())
	if err != nil {
		return err
	}
	session, user, err := c.Need()
	if err != nil {
		return err
	}
	p := s.provider(c.R.Context(), body.Text("provider"))
	if p == nil {
		return noProvider()
	}
	if body.Has("idToken") {
		return s.linkByToken(c, p, body, user)
	}
	to, err := s.begin(c, p, body, &flow.Link{UserID: user.ID, Email: user.Email, Session: s.linkKeys.Encrypt(session.Token)})
	if err != nil {
		return err
	}
	return answerURL(c, to, !body.True("disableRedirect"))
}

// live is whether the session in which a link began has not ended since: whoever took a session over, and lost it, must
// not keep a way in. A state from before 1.7.16 does not say which it was.
func (s *Server) live(ctx context.Context, l *flow.Link, now time.Time) (bool, error) {
	if l.Session == "" {
		return true, nil
	}
	token, err := s.linkKeys.Decrypt(l.Session)
	if err != nil {
		return false, nil //nolint:nilerr // a text that nobody here sealed proves no session
	}
	session, _, err := s.config.Store.FindSession(ctx, token)
	return err == nil && session != nil && session.UserID == l.UserID && session.ExpiresAt.After(now), err
}

// finishLink ends a link at the callback. No session is made: the browser keeps the one it has.
func (s *Server) finishLink(c *endpoint.Call, cl *claim, state *flow.State) error {
	live, err := s.live(c.R.Context(), state.Link, c.Now)
	code := ""
	switch {
	case err != nil:
	case !live:
		code = cannotLink
	default:
		code, err = s.attach(c.R.Context(), cl, state.Link.UserID, state.Link.Email, c.Now)
	}
	if err != nil {
		c.Log.ErrorContext(c.R.Context(), "sign-in server: an account could not be linked", "provider", c.Param, "error", err)
		return s.refuse(c, c.Param, cl.identity.AccountID, &refusal{code: internalError})
	}
	if code != "" {
		return s.refuse(c, c.Param, cl.identity.AccountID, &refusal{code: code, target: state.ErrorURL})
	}
	s.tell(c, Event{Kind: Linked, Provider: cl.provider.ID(), UserID: state.Link.UserID, Account: cl.identity.AccountID})
	return c.Redirect(flow.Location(state.CallbackURL))
}

// attach gives a user an identity, or says why not, in one transaction.
func (s *Server) attach(ctx context.Context, cl *claim, userID, userEmail string, now time.Time) (code string, err error) {
	ctx, cancel := context.WithTimeout(ctx, identifying)
	defer cancel()
	err = s.config.Store.Identify(ctx, cl.provider.ID(), cl.identity.AccountID, cl.identity.Email, func(tx accounts.Tx) error {
		code = ""
		account, err := tx.Account(ctx, cl.provider.ID(), cl.identity.AccountID)
		if err != nil {
			return err
		}
		owner := ""
		if account != nil {
			owner = account.UserID
		}
		code = s.config.Accounts.mayLinkExplicitly(cl.provider.ID(), cl.identity.EmailVerified, cl.identity.Email, userID, userEmail, owner)
		if code != "" {
			return nil
		}
		user, err := tx.User(ctx, userID)
		if err != nil {
			return err
		}
		if user == nil {
			code = cannotLink
			return nil
		}
		return s.write(ctx, tx, cl, account, user, now)
	})
	return code, err
}

func (s *Server) write(ctx context.Context, tx accounts.Tx, cl *claim, account *record.Account, user *record.User, now time.Time) error {
	var err error
	if account == nil {
		err = tx.InsertAccount(ctx, s.account(cl, user.ID, now))
	} else {
		change := s.tokens(cl.tokens)
		if cl.scope != nil {
			change.Scope = mergeScopes(account.Scope, cl.tokens.Scopes)
		}
		err = tx.UpdateAccount(ctx, account.ID, change, now)
	}
	if err == nil {
		_, err = s.adopt(ctx, tx, cl.identity, user, now)
	}
	return err
}

// linkByToken is the branch of link-social for apps that bring an id_token.
func (s *Server) linkByToken(c *endpoint.Call, p provider.Provider, body endpoint.Values, user *record.User) error {
	given := body.Object("idToken")
	identity, err := s.tokenIdentity(c, p, given)
	if err != nil {
		return s.refuseToken(c, p, "", err)
	}
	cl := &claim{provider: p, identity: identity, tokens: tokenTokens(given, true)}
	code, err := s.attachByToken(c.R.Context(), cl, user, c.Now)
	refuse := func(status int, code, message string) error {
		return s.refuseToken(c, p, identity.AccountID, &endpoint.Error{Status: status, Code: code, Message: message})
	}
	switch {
	case err != nil:
		c.Log.ErrorContext(c.R.Context(), "sign-in server: an account could not be linked", "provider", p.ID(), "error", err)
		return refuse(http.StatusExpectationFailed, "LINKING_FAILED", "Account not linked - unable to create account")
	case code == othersAccount:
		return refuse(http.StatusConflict, "SOCIAL_ACCOUNT_ALREADY_LINKED", "Social account already linked")
	case code == otherEmail:
		return refuse(http.StatusUnauthorized, "LINKING_DIFFERENT_EMAILS_NOT_ALLOWED", "Account not linked - different emails not allowed")
	case code != "":
		return refuse(http.StatusUnauthorized, "LINKING_NOT_ALLOWED", "Account not linked - linking not allowed")
	}
	s.tell(c, Event{Kind: Linked, Provider: p.ID(), UserID: user.ID, Account: identity.AccountID})
	return c.JSON(http.StatusOK, []byte(`{"url":"","status":true,"redirect":false}`))
}

// attachByToken is attach in the order of this branch: whose account it is comes first, and one's own is refreshed
// whatever the address is.
func (s *Server) attachByToken(ctx context.Context, cl *claim, user *record.User, now time.Time) (code string, err error) {
	ctx, cancel := context.WithTimeout(ctx, identifying)
	defer cancel()
	err = s.config.Store.Identify(ctx, cl.provider.ID(), cl.identity.AccountID, cl.identity.Email, func(tx accounts.Tx) error {
		code = ""
		account, err := tx.Account(ctx, cl.provider.ID(), cl.identity.AccountID)
		switch {
		case err != nil:
			return err
		case account != nil && account.UserID != user.ID:
			code = othersAccount
			return nil
		case account == nil:
			code = s.config.Accounts.mayLinkExplicitly(cl.provider.ID(), cl.identity.EmailVerified, cl.identity.Email, user.ID, user.Email, "")
			if code != "" {
				return nil
			}
		}
		return s.write(ctx, tx, cl, account, user, now)
	})
	return code, err
}
