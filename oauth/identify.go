package oauth

import (
	"context"
	"errors"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/provider"
	"github.com/usherauth/usher/store/accounts"
)

// errEmailOfAnother says that a provider's address should replace a user's, and somebody else has it.
var errEmailOfAnother = errors.New("oauth: the address that should replace a user's belongs to another user")

// claim is an identity that wants in.
type claim struct {
	provider provider.Provider
	identity *provider.Identity
	tokens   *provider.Tokens
	scope    *string // of a new account; nil: NULL
	signUp   bool    // requestSignUp
	override bool    // overrideUserInfoOnSignIn counts: not for id_tokens of apps, as in the library
}

// verdict is whom a claim belongs to. With a code nobody is signed in; what was written stays.
type verdict struct {
	user  *record.User
	isNew bool
	code  string
}

// identifying is what one transaction may take: a database that says nothing in the middle of it would hold its locks, and
// the request, for as long as it likes.
const identifying = 6 * time.Second

// identify finds, links or makes the user of a claim, in one transaction, alone among all who claim the same identity or
// the same address.
func (s *Server) identify(ctx context.Context, cl *claim, now time.Time) (v verdict, err error) {
	ctx, cancel := context.WithTimeout(ctx, identifying)
	defer cancel()
	err = s.config.Store.Identify(ctx, cl.provider.ID(), cl.identity.AccountID, cl.identity.Email, func(tx accounts.Tx) error {
		v = verdict{} // this may run again
		if err := s.find(ctx, tx, cl, now, &v); err != nil || v.code != "" {
			return err
		}
		return s.admit(ctx, tx, cl, now, &v)
	})
	return v, err
}

func (s *Server) find(ctx context.Context, tx accounts.Tx, cl *claim, now time.Time, v *verdict) error {
	account, err := tx.Account(ctx, cl.provider.ID(), cl.identity.AccountID)
	if err != nil {
		return err
	}
	if account != nil { // the address is not consulted: people change theirs, and providers hand them on
		if v.user, err = tx.User(ctx, account.UserID); err != nil {
			return err
		}
		if v.user == nil {
			v.code = cannotLink
			return nil
		}
		if err := s.refresh(ctx, tx, cl, account, now); err != nil {
			return err
		}
		return s.prove(ctx, tx, cl, v.user, now)
	}
	if v.user, err = tx.UserByEmail(ctx, cl.identity.Email); err != nil {
		return err
	}
	if v.user == nil {
		return s.signUp(ctx, tx, cl, now, v)
	}
	if lookalike(cl.identity.Email) || !s.config.Accounts.mayLinkImplicitly(cl.provider.ID(), v.user.EmailVerified, cl.identity.EmailVerified) {
		v.code = notLinked
		return nil
	}
	if err := tx.InsertAccount(ctx, s.account(cl, v.user.ID, now)); err != nil {
		return err
	}
	if err := s.prove(ctx, tx, cl, v.user, now); err != nil {
		return err
	}
	v.user, err = s.adopt(ctx, tx, cl.identity, v.user, now)
	return err
}

// refresh keeps the tokens of a returning identity. The scope stays: only linking changes it.
func (s *Server) refresh(ctx context.Context, tx accounts.Tx, cl *claim, account *record.Account, now time.Time) error {
	if s.config.Accounts.KeepTokens {
		return nil
	}
	return tx.UpdateAccount(ctx, account.ID, s.tokens(cl.tokens), now)
}

// prove marks a user's address as proved. The user in hand stays as he was, as in the library.
func (s *Server) prove(ctx context.Context, tx accounts.Tx, cl *claim, u *record.User, now time.Time) error {
	if !proves(cl.identity, u) {
		return nil
	}
	yes := true
	return tx.UpdateUser(ctx, u.ID, accounts.UserChange{EmailVerified: &yes}, now)
}

// adopt copies name and image to a user who got an account, where that is configured, and answers the user as he is then.
func (s *Server) adopt(ctx context.Context, tx accounts.Tx, i *provider.Identity, u *record.User, now time.Time) (*record.User, error) {
	if !s.config.Accounts.UpdateUserOnLink {
		return u, nil
	}
	change := accounts.UserChange{Name: &i.Name}
	if i.Image != nil {
		change.Image = &i.Image
	}
	if err := tx.UpdateUser(ctx, u.ID, change, now); err != nil {
		return nil, err
	}
	return again(ctx, tx, u)
}

// again reads a user after a change.
func again(ctx context.Context, tx accounts.Tx, u *record.User) (*record.User, error) {
	changed, err := tx.User(ctx, u.ID)
	if err != nil || changed == nil {
		return u, err
	}
	return changed, nil
}

func (s *Server) signUp(ctx context.Context, tx accounts.Tx, cl *claim, now time.Time, v *verdict) error {
	if !maySignUp(provider.Rules(cl.provider), cl.signUp) {
		v.code = noSignUp
		return nil
	}
	i := cl.identity
	v.user, v.isNew = &record.User{Name: i.Name, Email: i.Email, EmailVerified: i.EmailVerified, Image: i.Image, CreatedAt: now, UpdatedAt: now}, true
	if err := tx.InsertUser(ctx, v.user); err != nil {
		return err
	}
	return tx.InsertAccount(ctx, s.account(cl, v.user.ID, now))
}

// admit decides whether a user who was found gets a session.
func (s *Server) admit(ctx context.Context, tx accounts.Tx, cl *claim, now time.Time, v *verdict) error {
	rules := provider.Rules(cl.provider)
	if rules.OverrideUserInfoOnSignIn && cl.override && !v.isNew {
		if err := s.override(ctx, tx, cl.identity, v, now); err != nil {
			return err
		}
	}
	switch {
	case rules.RequireEmailVerification && !v.user.EmailVerified:
		v.code = emailUnproven
	case v.user.BannedAt(now):
		v.code = bannedUser
	case v.user.Banned != nil && *v.user.Banned:
		return tx.UpdateUser(ctx, v.user.ID, accounts.UserChange{LiftBan: true}, now)
	}
	return nil
}

// override makes a returning user who the provider says he is.
func (s *Server) override(ctx context.Context, tx accounts.Tx, i *provider.Identity, v *verdict, now time.Time) error {
	verified := i.EmailVerified
	if sameEmail(i.Email, v.user.Email) {
		verified = verified || v.user.EmailVerified
	} else if other, err := tx.UserByEmail(ctx, i.Email); err != nil {
		return err
	} else if other != nil && other.ID != v.user.ID {
		return errEmailOfAnother
	}
	email := record.Lower(i.Email)
	change := accounts.UserChange{Name: &i.Name, Email: &email, EmailVerified: &verified}
	if i.Image != nil {
		change.Image = &i.Image
	}
	err := tx.UpdateUser(ctx, v.user.ID, change, now)
	if err == nil {
		v.user, err = again(ctx, tx, v.user)
	}
	return err
}
