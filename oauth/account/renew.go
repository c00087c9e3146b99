package account

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/betterauth/seal"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/oauth/provider"
	"github.com/usherauth/usher/store/accounts"
)

const (
	// short is how much life an access token must have left to be handed out as it is.
	short = 5 * time.Second

	// patience is how long an answer may depend on a provider, discovery included; each of its calls has a limit of its own.
	patience = 25 * time.Second
)

// open is a token as the provider gave it. As in the library, without encryption every text is taken as it is, and with
// it those that cannot be sealed, from before it was switched on.
func (rm *Room) open(token string) (string, error) {
	if !rm.config.EncryptTokens || !seal.LooksSealed(token) {
		return token, nil
	}
	return rm.config.Keys.Decrypt(token)
}

// sealed is a token as a row keeps it.
func (rm *Room) sealed(token *string) *string {
	if token == nil || *token == "" || !rm.config.EncryptTokens {
		return token
	}
	text := rm.config.Keys.Encrypt(*token)
	return &text
}

// ended reports whether an access token is at its end, as far as its provider said when that is.
func ended(a *record.Account, now time.Time) bool {
	return a.AccessTokenExpiresAt != nil && a.AccessTokenExpiresAt.Sub(now) < short
}

// renewed is what became of an account whose tokens were renewed.
type renewed struct {
	account *record.Account  // the row as it was read before the provider was asked
	tokens  *provider.Tokens // nil: somebody else had renewed them meanwhile, and they are in the row
	refresh string           // the refresh token that was used
}

var errNothingToRefresh = errors.New("there is no refresh token")

// renew has an account's tokens renewed, alone among all of this process, by whoever's turn it is; needed is asked then,
// of the row as it is now. What a provider has renewed is kept even if whoever asked has left: its old refresh token may
// be worth nothing any more.
func (rm *Room) renew(c *endpoint.Call, a *record.Account, r provider.Refresher, needed func(*record.Account) bool) (*renewed, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.R.Context()), patience)
	defer cancel()
	giveBack, err := rm.turns.take(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	defer giveBack()
	if a, err = rm.find(ctx, a.UserID, a.ID); err != nil {
		return nil, err
	}
	if !needed(a) {
		return &renewed{account: a}, nil
	}
	if a.RefreshToken == nil || *a.RefreshToken == "" {
		return nil, errNothingToRefresh
	}
	refresh, err := rm.open(*a.RefreshToken)
	if err != nil {
		return nil, err
	}
	t, err := r.Refresh(ctx, refresh)
	if err != nil {
		return rm.another(ctx, a, needed, err)
	}
	t.AccessExpiresAt, t.RefreshExpiresAt = millis(t.AccessExpiresAt), millis(t.RefreshExpiresAt)
	err = rm.config.Store.UpdateAccount(ctx, a.ID, accounts.AccountChange{
		AccessToken: rm.sealed(t.Access), RefreshToken: rm.sealed(t.Refresh), IDToken: t.ID,
		AccessTokenExpiresAt: t.AccessExpiresAt, RefreshTokenExpiresAt: t.RefreshExpiresAt,
	}, c.Now)
	if err != nil {
		return nil, err
	}
	return &renewed{account: a, tokens: t, refresh: refresh}, nil
}

// another is what to do when a provider refused: another replica, or Better Auth, may have used the refresh token just
// before, and then the row has what we wanted.
func (rm *Room) another(ctx context.Context, before *record.Account, needed func(*record.Account) bool, cause error) (*renewed, error) {
	now, err := rm.find(ctx, before.UserID, before.ID)
	if err == nil && same(now.RefreshToken, before.RefreshToken) || err != nil || needed(now) {
		return nil, cause
	}
	return &renewed{account: now}, nil
}

func same(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// failed is the one line of the log about a provider that did not do what it was asked, and the library's answer.
func failed(c *endpoint.Call, a *record.Account, err error, answer error) error {
	if known := (*endpoint.Error)(nil); errors.As(err, &known) {
		return err
	}
	if c.R.Context().Err() == nil {
		c.Log.LogAttrs(c.R.Context(), slog.LevelWarn, "sign-in server: tokens of an account could not be had",
			slog.String("provider", a.ProviderID), slog.String("account", a.ID), slog.Any("error", err))
	}
	return answer
}

// millis is an instant as JavaScript's dates hold it.
func millis(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	rounded := t.UTC().Truncate(time.Millisecond)
	return &rounded
}
