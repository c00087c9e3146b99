package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/usherauth/usher/oauth/provider/wire"
)

// github has a list of addresses beside the profile, and refuses calls without a User-Agent.
func github() preset {
	return preset{
		name: "GitHub", authorize: "https://github.com/login/oauth/authorize", token: "https://github.com/login/oauth/access_token",
		userInfo: "https://api.github.com/user", scopes: []string{"read:user", "user:email"}, pkce: pkceFull, hint: true,
		takes: []string{"Prompt"}, identifies: githubUser,
	}
}

func githubUser(ctx context.Context, s *standard, t *Tokens, _ Callback) (*Identity, error) {
	if t.Access == nil {
		return nil, errNoAccessToken
	}
	agent := Param{Name: "user-agent", Value: "better-auth"}
	profile, err := s.client.object(ctx, bearer(s.userInfo, *t.Access, agent))
	if err != nil {
		return nil, fmt.Errorf("userinfo: %w", err)
	}
	// Without the list nobody is verified, and people who hide their address have none: Better Auth goes on, too.
	emails := githubEmails(ctx, s, bearer(strings.TrimRight(s.userInfo, "/")+"/emails", *t.Access, agent))
	email := profile.Text("email")
	if email == "" && len(emails) > 0 {
		chosen := emails[0]
		for _, e := range emails {
			if wire.Truthy(e.Get("primary")) {
				chosen = e
				break
			}
		}
		email = chosen.Text("email")
		profile.Set("email", email)
	}
	verified := false
	for _, e := range emails {
		if e.Text("email") == email { // case and all: another spelling was not what they verified
			verified = e.Get("verified") == true
			break
		}
	}
	return identity(profile.Get("id"), email, or(profile.Text("name"), profile.Text("login")), profile.Get("avatar_url"), verified, profile)
}

func githubEmails(ctx context.Context, s *standard, r wire.Request) []*wire.Object {
	answer, err := s.client.caller.Do(ctx, r)
	if err != nil || !answer.OK() {
		return nil
	}
	list, err := wire.ParseArray(answer.Body)
	if err != nil {
		return nil
	}
	var emails []*wire.Object
	for _, item := range list {
		if e, ok := item.(*wire.Object); ok {
			emails = append(emails, e)
		}
	}
	return emails
}
