package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/usherauth/usher/oauth/provider/idtoken"
	"github.com/usherauth/usher/oauth/provider/wire"
)

// Presets that are a row and a function or two.

// environment admits one word besides nothing.
func environment(o *Options, words ...string) error {
	for _, w := range append(words, "") {
		if o.Environment == w {
			return nil
		}
	}
	return errors.New("environment is " + strings.Join(words, " or ") + ", or nothing")
}

func salesforceHost(o *Options) string {
	switch {
	case o.LoginURL != "":
		return "https://" + o.LoginURL
	case o.Environment == "sandbox":
		return "https://test.salesforce.com"
	}
	return "https://login.salesforce.com"
}

// paypal is the sandbox unless told otherwise: Better Auth's default, kept lest a test spends money.
func paypal() preset {
	return preset{
		name: "PayPal", base: paypalHost, authorize: "{base}/signin/authorize", token: "{api}/v1/oauth2/token",
		userInfo: "{api}/v1/identity/oauth2/userinfo", pkce: pkceFull, basic: true, takes: []string{"Prompt", "Environment"},
		check: func(o *Options) error { return environment(o, "live", "sandbox") }, api: paypalAPI,
		shape:      func(_ *Options, a *authorization) { a.scope = "" },
		identifies: paypalUser,
		user:       mapping{id: at("user_id"), name: []path{at("name")}, email: at("email"), image: []path{at("picture")}, verified: at("email_verified")},
	}
}

func paypalAPI(o *Options) string {
	return strings.Replace(strings.Replace(paypalHost(o), "www.sandbox.", "api-m.sandbox.", 1), "www.", "api-m.", 1)
}

func paypalHost(o *Options) string {
	if o.Environment == "live" {
		return "https://www.paypal.com"
	}
	return "https://www.sandbox.paypal.com"
}

// paypalUser compares userinfo with the id_token, whose signature nobody needs: it can only refuse.
func paypalUser(ctx context.Context, s *standard, t *Tokens, _ Callback) (*Identity, error) {
	if t.Access == nil {
		return nil, errNoAccessToken
	}
	url := wire.AppendQuery(s.userInfo, params("schema", "paypalv1.1"))
	profile, err := s.client.object(ctx, bearer(url, *t.Access, Param{Name: "accept", Value: "application/json"}))
	if err != nil {
		return nil, fmt.Errorf("userinfo: %w", err)
	}
	if t.ID != nil {
		claims, err := idtoken.Decode(*t.ID)
		if err != nil {
			return nil, err
		}
		subject := profile.Text("sub")
		if profile.Get("sub") == nil {
			subject = profile.Text("user_id")
		}
		if claims.Text("sub") == "" || claims.Text("sub") != subject {
			return nil, errors.New("userinfo speaks of another subject than the id_token")
		}
	}
	return s.user.identity(profile)
}

// reddit wants a User-Agent and text, and tells no address.
func reddit() preset {
	return preset{
		name: "Reddit", authorize: "https://www.reddit.com/api/v1/authorize", token: "https://www.reddit.com/api/v1/access_token",
		userInfo: "https://oauth.reddit.com/api/v1/me", scopes: []string{"identity"}, basic: true, takes: []string{"Duration"},
		shape: func(o *Options, a *authorization) { a.duration = o.Duration },
		exchanges: func(ctx context.Context, s *standard, e Exchange) (*Tokens, error) {
			r := s.codeRequest(e)
			r.headers = params("accept", "text/plain", "user-agent", "better-auth")
			return s.client.tokens(ctx, r)
		},
		identifies: func(ctx context.Context, s *standard, t *Tokens, _ Callback) (*Identity, error) {
			return s.fromUserInfo(ctx, t, Param{Name: "user-agent", Value: "better-auth"})
		},
		user: mapping{id: at("id"), name: []path{at("name")}, image: []path{at("icon_img")}, placeholder: "reddit", bareImage: true},
	}
}

// linear is asked in GraphQL. The query's white space is Better Auth's.
func linear() preset {
	return preset{
		name: "Linear", authorize: "https://linear.app/oauth/authorize", token: "https://api.linear.app/oauth/token",
		userInfo: "https://api.linear.app/graphql", scopes: []string{"read"}, hint: true,
		identifies: func(ctx context.Context, s *standard, t *Tokens, _ Callback) (*Identity, error) {
			return s.ask(ctx, t, http.MethodPost, linearQuery(), Param{Name: "content-type", Value: "application/json"})
		},
		user: mapping{
			profile: at("data", "viewer"), id: at("id"), name: []path{at("name")}, email: at("email"), image: []path{at("avatarUrl")},
		},
	}
}

func linearQuery() string {
	indent := strings.Repeat("\t", 7)
	fields := []string{"id", "name", "email", "avatarUrl", "active", "createdAt", "updatedAt"}
	query := "\n" + indent + "query {\n" + indent + "\tviewer {\n"
	for _, f := range fields {
		query += indent + "\t\t" + f + "\n"
	}
	query += indent + "\t}\n" + indent + "}\n" + indent[:6]
	body := new(wire.Object)
	body.Set("query", query)
	return string(wire.Append(nil, body))
}

// twitter tells the address in a second call, and only a confirmed one.
func twitter() preset {
	return preset{
		name: "Twitter", authorize: "https://x.com/i/oauth2/authorize", token: "https://api.x.com/2/oauth2/token",
		userInfo: "https://api.x.com/2/users/me", pkce: pkceFull, basic: true, identifies: twitterUser,
		scopes: []string{"users.read", "tweet.read", "offline.access", "users.email"},
	}
}

func twitterUser(ctx context.Context, s *standard, t *Tokens, _ Callback) (*Identity, error) {
	if t.Access == nil {
		return nil, errNoAccessToken
	}
	profile, err := s.client.object(ctx, bearer(wire.AppendQuery(s.userInfo, params("user.fields", "profile_image_url")), *t.Access))
	if err != nil {
		return nil, fmt.Errorf("userinfo: %w", err)
	}
	data := profile.Inner("data")
	id, err := accountID(data.Get("id"))
	if err != nil {
		return nil, err
	}
	email, verified := data.Text("email"), false
	second, err := s.client.object(ctx, bearer(wire.AppendQuery(s.userInfo, params("user.fields", "confirmed_email")), *t.Access))
	if err == nil && second.Text("data", "id") == data.Text("id") {
		if confirmed := second.Text("data", "confirmed_email"); confirmed != "" {
			email, verified = confirmed, true
			data.Set("email", email)
		}
	}
	return identity(id, or(email, placeholder(id, "twitter")), data.Text("name"), data.Get("profile_image_url"), verified, profile)
}

// vk gives a device id to the callback, which the exchange gives back.
func vk() preset {
	return preset{
		name: "VK", authorize: "https://id.vk.com/authorize", token: "https://id.vk.com/oauth2/auth",
		userInfo: "https://id.vk.com/oauth2/user_info", scopes: []string{"email", "phone"}, pkce: pkceFull, identifies: vkUser,
		exchanges: func(ctx context.Context, s *standard, e Exchange) (*Tokens, error) {
			r := s.codeRequest(e)
			r.form = codeForm(e, or(s.o.RedirectURI, e.RedirectURI), e.Verifier, e.DeviceID)
			return s.client.tokens(ctx, r)
		},
	}
}

func vkUser(ctx context.Context, s *standard, t *Tokens, _ Callback) (*Identity, error) {
	if t.Access == nil {
		return nil, errNoAccessToken
	}
	profile, err := s.client.object(ctx, wire.Request{
		Method: http.MethodPost, URL: s.userInfo, Headers: params("content-type", "application/x-www-form-urlencoded"),
		Body: wire.Encode(params("access_token", *t.Access, "client_id", s.client.id)),
	})
	if err != nil {
		return nil, fmt.Errorf("userinfo: %w", err)
	}
	user := profile.Inner("user")
	if user.Text("email") == "" {
		return nil, errors.New("no e-mail, without which Better Auth knows nobody of VK")
	}
	name := user.Text("first_name") + " " + user.Text("last_name")
	return identity(user.Get("user_id"), user.Text("email"), name, user.Get("avatar"), false, profile)
}

// discord has avatars behind a name and a number, and asks nobody twice.
func discord() preset {
	return preset{
		name: "Discord", authorize: "https://discord.com/api/oauth2/authorize", token: "https://discord.com/api/oauth2/token",
		userInfo: "https://discord.com/api/users/%40me", scopes: []string{"identify", "email"}, bodyFirst: true, prompt: "none",
		takes: []string{"Prompt", "Permissions"}, extra: discordPermissions, identifies: discordUser,
	}
}

func discordUser(ctx context.Context, s *standard, t *Tokens, _ Callback) (*Identity, error) {
	profile, err := profileOf(ctx, s, t)
	if err != nil {
		return nil, err
	}
	image := discordAvatar(profile)
	profile.Set("image_url", image)
	name := or(profile.Text("global_name"), profile.Text("username"))
	return identity(profile.Get("id"), profile.Text("email"), name, image, truth(profile.Get("verified")), profile)
}

func discordAvatar(profile *wire.Object) string {
	const cdn = "https://cdn.discordapp.com"
	id := profile.Text("id")
	if hash := profile.Text("avatar"); hash != "" {
		format := "png"
		if strings.HasPrefix(hash, "a_") {
			format = "gif"
		}
		return cdn + "/avatars/" + id + "/" + hash + "." + format
	}
	number := uint64(0)
	if old := profile.Text("discriminator"); old != "0" && old != "" {
		if n, err := strconv.ParseUint(old, 10, 32); err == nil {
			number = n % 5
		}
	} else if n, err := strconv.ParseUint(id, 10, 64); err == nil {
		number = (n >> 22) % 6
	}
	return cdn + "/embed/avatars/" + strconv.FormatUint(number, 10) + ".png"
}
