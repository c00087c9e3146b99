package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/usherauth/usher/oauth/provider/wire"
)

// What a mapping cannot say about a profile, for providers that are plain otherwise.

// profileOf asks the userinfo endpoint.
func profileOf(ctx context.Context, s *standard, t *Tokens) (*wire.Object, error) {
	if t.Access == nil {
		return nil, errNoAccessToken
	}
	profile, err := s.client.object(ctx, bearer(s.userInfo, *t.Access))
	if err != nil {
		return nil, fmt.Errorf("userinfo: %w", err)
	}
	return profile, nil
}

// postUserInfo: Dropbox wants a POST with nothing in it.
func postUserInfo(ctx context.Context, s *standard, t *Tokens, _ Callback) (*Identity, error) {
	return s.ask(ctx, t, http.MethodPost, "")
}

func notionUser(ctx context.Context, s *standard, t *Tokens, _ Callback) (*Identity, error) {
	return s.fromUserInfo(ctx, t, Param{Name: "Notion-Version", Value: "2022-06-28"})
}

// cloudflareUser has a first and a last name, or neither.
func cloudflareUser(ctx context.Context, s *standard, t *Tokens, _ Callback) (*Identity, error) {
	answer, err := profileOf(ctx, s, t)
	if err != nil {
		return nil, err
	}
	profile, ok := answer.Get("result").(*wire.Object)
	if !wire.Truthy(answer.Get("success")) || !ok {
		return nil, errors.New("userinfo is no success")
	}
	email := profile.Text("email")
	names := slices.DeleteFunc([]string{profile.Text("first_name"), profile.Text("last_name")}, func(s string) bool { return s == "" })
	return identity(profile.Get("id"), email, or(strings.Join(names, " "), email), nil, false, profile)
}

// cloudflareScopes: each once, and no other parameters, which Better Auth does not pass on here.
func cloudflareScopes(_ *Options, a *authorization) {
	var once []string
	for _, scope := range strings.Fields(a.scope) {
		if !slices.Contains(once, scope) {
			once = append(once, scope)
		}
	}
	a.scope, a.additional = strings.Join(once, " "), nil
}

// kakaoUser: verified only if valid, too.
func kakaoUser(ctx context.Context, s *standard, t *Tokens, _ Callback) (*Identity, error) {
	profile, err := profileOf(ctx, s, t)
	if err != nil {
		return nil, err
	}
	account := profile.Inner("kakao_account")
	person := account.Inner("profile")
	verified := wire.Truthy(account.Get("is_email_valid")) && wire.Truthy(account.Get("is_email_verified"))
	image := or(person.Text("profile_image_url"), person.Text("thumbnail_image_url"))
	return identity(profile.Get("id"), account.Text("email"), or(person.Text("nickname"), account.Text("name")), image, verified, profile)
}

// kickUser is the first of a list of one.
func kickUser(ctx context.Context, s *standard, t *Tokens, _ Callback) (*Identity, error) {
	answer, err := profileOf(ctx, s, t)
	if err != nil {
		return nil, err
	}
	list, _ := answer.Get("data").([]any)
	if len(list) == 0 {
		return nil, errors.New("userinfo has nobody")
	}
	profile, ok := list[0].(*wire.Object)
	if !ok {
		return nil, errors.New("userinfo has nobody")
	}
	return s.user.identity(profile)
}

// spotifyUser has a list of images.
func spotifyUser(ctx context.Context, s *standard, t *Tokens, _ Callback) (*Identity, error) {
	profile, err := profileOf(ctx, s, t)
	if err != nil {
		return nil, err
	}
	var image any
	if list, _ := profile.Get("images").([]any); len(list) > 0 {
		if o, ok := list[0].(*wire.Object); ok {
			image = o.Get("url")
		}
	}
	return identity(profile.Get("id"), profile.Text("email"), profile.Text("display_name"), image, false, profile)
}
