package oauth

import (
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/provider"
	"github.com/usherauth/usher/store/accounts"
)

// account is the row that ties an identity to a user.
func (s *Server) account(cl *claim, userID string, now time.Time) *record.Account {
	t := s.tokens(cl.tokens)
	return &record.Account{
		AccountID: cl.identity.AccountID, ProviderID: cl.provider.ID(), UserID: userID,
		AccessToken: t.AccessToken, RefreshToken: t.RefreshToken, IDToken: t.IDToken,
		AccessTokenExpiresAt: t.AccessTokenExpiresAt, RefreshTokenExpiresAt: t.RefreshTokenExpiresAt,
		Scope: cl.scope, CreatedAt: now, UpdatedAt: now,
	}
}

// tokens are what a row keeps of a provider's answer: what was not sent leaves a row as it is. The id_token is never
// sealed, as in the library.
func (s *Server) tokens(t *provider.Tokens) accounts.AccountChange {
	return accounts.AccountChange{
		AccessToken: s.sealed(t.Access), RefreshToken: s.sealed(t.Refresh), IDToken: t.ID,
		AccessTokenExpiresAt: millis(t.AccessExpiresAt), RefreshTokenExpiresAt: millis(t.RefreshExpiresAt),
	}
}

func (s *Server) sealed(token *string) *string {
	if token == nil || *token == "" || !s.config.Accounts.EncryptTokens {
		return token
	}
	text := s.config.Keys.Encrypt(*token)
	return &text
}

// millis is an instant as JavaScript's dates hold it.
func millis(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	short := t.UTC().Truncate(time.Millisecond)
	return &short
}
