package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/usherauth/usher/oauth/provider/wire"
)

// Abilities are found by assertion, so a provider that lacks one must not have its method: one type for each set.

// refreshingGeneric is plain OAuth2.
type refreshingGeneric struct{ *generic }

// Refresh implements Refresher.
func (g refreshingGeneric) Refresh(ctx context.Context, token string) (*Tokens, error) {
	m, err := g.discover(ctx)
	if err != nil {
		return nil, failure(g.id, ErrRefresh, err)
	}
	form := refreshForm(token)
	for _, p := range g.o.RefreshParams {
		if p.Name != "grant_type" && p.Name != "refresh_token" {
			form = wire.Set(form, p.Name, p.Value)
		}
	}
	t, err := g.client.tokens(ctx, tokenRequest{
		url: m.token, form: form, auth: g.client.auth, secrets: []string{token},
	})
	if err != nil {
		return nil, failure(g.id, ErrRefresh, err)
	}
	return g.timed(t), nil
}

// EndSession implements Ender. Nothing before discovery, and where the provider has no such endpoint.
func (g refreshingGeneric) EndSession(idToken, back, state string) (string, bool) {
	m := g.endpoints()
	if g.o.DisableLogout || m == nil || m.endSession == "" {
		return "", false
	}
	var p []Param
	if idToken != "" {
		p = append(p, params("id_token_hint", idToken)...)
	}
	if to := cmp.Or(back, g.o.PostLogoutRedirect); to != "" {
		p = append(p, params("post_logout_redirect_uri", to, "client_id", g.client.id)...)
		p = append(p, present(params("state", state))...)
	} else if idToken == "" {
		p = append(p, params("client_id", g.client.id)...)
	}
	return wire.AppendQuery(m.endSession, p), true
}

// discoveredGeneric has a discovery URL.
type discoveredGeneric struct{ refreshingGeneric }

// Discover implements Discoverer.
func (g discoveredGeneric) Discover(ctx context.Context) error {
	if _, err := g.discover(ctx); err != nil {
		return failure(g.id, ErrAbsent, err)
	}
	return nil
}

// WantsNonce implements Signer. True before discovery: better a nonce nobody needs.
func (g discoveredGeneric) WantsNonce() bool {
	m := g.endpoints()
	return m == nil || g.wantsNonce(m)
}

func (g *generic) wantsNonce(m *metadata) bool { return m.signs() && !g.o.DisableNonce }

// Issuer implements Signer.
func (g discoveredGeneric) Issuer() string {
	if m := g.endpoints(); m != nil {
		return m.issuer
	}
	return ""
}

// CheckIssuer implements Signer.
func (g discoveredGeneric) CheckIssuer(iss string) error {
	m := g.endpoints()
	switch {
	case m == nil:
		return fmt.Errorf("provider %s: %w: not discovered", g.id, ErrIssuer)
	case iss == "" && m.sendsIss:
		return fmt.Errorf("provider %s: %w: it announced to name itself and did not", g.id, ErrIssuer)
	case iss != "" && m.issuer != "" && iss != m.issuer:
		return fmt.Errorf("provider %s: %w", g.id, ErrIssuer)
	}
	return nil
}

// verifyingGeneric lets native apps sign in.
type verifyingGeneric struct{ discoveredGeneric }

// VerifyIDToken implements IDTokenVerifier.
func (g verifyingGeneric) VerifyIDToken(ctx context.Context, token, nonce string) (*Identity, error) {
	m, err := g.discover(ctx)
	if err != nil {
		return nil, failure(g.id, ErrIDToken, err)
	}
	if !m.signs() || strings.Count(token, ".") != 2 {
		return nil, fmt.Errorf("provider %s: %w", g.id, ErrIDToken)
	}
	claims, err := g.verify(ctx, m, token, nonce, g.o.ClientIDs)
	if err != nil {
		return nil, failure(g.id, ErrIDToken, err)
	}
	if claims.Text("email") == "" {
		return nil, failure(g.id, ErrUserInfo, errors.New("no e-mail in the id_token, and no access token to ask with"))
	}
	i, err := g.fromClaims(m, claims)
	if err != nil {
		return nil, failure(g.id, ErrUserInfo, err)
	}
	return i, nil
}
