package provider

import (
	"maps"
	"slices"
	"strconv"

	"github.com/usherauth/usher/oauth/provider/wire"
)

// Presets are the names New knows, sorted.
func Presets() []string { return slices.Sorted(maps.Keys(presets())) }

// presets is the table. What a row leaves out is what most providers do: scopes joined by blanks, the secret in the
// body, userinfo by GET with the access token, refresh at the token endpoint.
func presets() map[string]preset {
	return map[string]preset{
		"apple": apple(), "cognito": cognito(), "discord": discord(), "facebook": facebook(), "github": github(),
		"google": google(), "line": line(), "linear": linear(), "microsoft": microsoft(), "paypal": paypal(),
		"reddit": reddit(), "tiktok": tiktok(), "twitter": twitter(), "vk": vk(), "wechat": wechat(),
		"atlassian": {
			name: "Atlassian", authorize: "https://auth.atlassian.com/authorize", token: "https://auth.atlassian.com/oauth/token",
			userInfo: "https://api.atlassian.com/me", scopes: []string{"read:jira-user", "offline_access"}, pkce: pkceFull,
			secret: true, fixed: params("audience", "api.atlassian.com"), takes: []string{"Prompt"},
			user: mapping{id: at("account_id"), name: []path{at("name")}, email: at("email"), image: []path{at("picture")}},
		},
		"cloudflare": {
			name: "Cloudflare", authorize: "https://dash.cloudflare.com/oauth2/auth", token: "https://dash.cloudflare.com/oauth2/token",
			userInfo: "https://api.cloudflare.com/client/v4/user", scopes: []string{"user-details.read"}, pkce: pkceFull, basic: true, public: true,
			identifies: cloudflareUser, shape: cloudflareScopes,
		},
		"dropbox": {
			name: "Dropbox", authorize: "https://www.dropbox.com/oauth2/authorize", token: "https://api.dropboxapi.com/oauth2/token",
			userInfo: "https://api.dropboxapi.com/2/users/get_current_account", scopes: []string{"account_info.read"}, pkce: pkceFull,
			takes: []string{"AccessType"}, identifies: postUserInfo,
			extra: func(o *Options, _ []string) []Param { return present(params("token_access_type", o.AccessType)) },
			user: mapping{
				id: at("account_id"), name: []path{at("name", "display_name")}, email: at("email"),
				image: []path{at("profile_photo_url")}, verified: at("email_verified"),
			},
		},
		"figma": {
			name: "Figma", authorize: "https://www.figma.com/oauth", token: "https://api.figma.com/v1/oauth/token",
			userInfo: "https://api.figma.com/v1/me", scopes: []string{"current_user:read"}, pkce: pkceFull, basic: true,
			user: mapping{id: at("id"), name: []path{at("handle")}, email: at("email"), image: []path{at("img_url")}},
		},
		"gitlab": {
			name: "Gitlab", base: func(o *Options) string { return or(o.Issuer, "https://gitlab.com") },
			authorize: "{base}/oauth/authorize", token: "{base}/oauth/token", userInfo: "{base}/api/v4/user",
			scopes: []string{"read_user"}, pkce: pkceFull, hint: true, takes: []string{"Issuer"},
			user: mapping{
				id: at("id"), name: []path{at("name"), at("username")}, email: at("email"), image: []path{at("avatar_url")},
				verified: at("email_verified"),
				refuse:   func(a *wire.Object) bool { return a.Text("state") != "active" || wire.Truthy(a.Get("locked")) },
			},
		},
		"huggingface": {
			name: "Hugging Face", authorize: "https://huggingface.co/oauth/authorize", token: "https://huggingface.co/oauth/token",
			userInfo: "https://huggingface.co/oauth/userinfo", scopes: []string{"openid", "profile", "email"}, pkce: pkceFull,
			user: named(oidcUser(), at("name"), at("preferred_username")),
		},
		"kakao": {
			name: "Kakao", authorize: "https://kauth.kakao.com/oauth/authorize", token: "https://kauth.kakao.com/oauth/token",
			userInfo: "https://kapi.kakao.com/v2/user/me", scopes: []string{"account_email", "profile_image", "profile_nickname"},
			hint: true, identifies: kakaoUser,
		},
		"kick": {
			name: "Kick", authorize: "https://id.kick.com/oauth/authorize", token: "https://id.kick.com/oauth/token",
			userInfo: "https://api.kick.com/public/v1/users", scopes: []string{"user:read"}, pkce: pkceFull, identifies: kickUser,
			user: mapping{id: at("user_id"), name: []path{at("name")}, email: at("email"), image: []path{at("profile_picture")}},
		},
		"linkedin": {
			name: "Linkedin", authorize: "https://www.linkedin.com/oauth/v2/authorization",
			token: "https://www.linkedin.com/oauth/v2/accessToken", userInfo: "https://api.linkedin.com/v2/userinfo",
			scopes: []string{"profile", "email", "openid"}, hint: true, user: oidcUser(),
		},
		"naver": {
			name: "Naver", authorize: "https://nid.naver.com/oauth2.0/authorize", token: "https://nid.naver.com/oauth2.0/token",
			userInfo: "https://openapi.naver.com/v1/nid/me", scopes: []string{"profile", "email"},
			user: mapping{
				id: at("response", "id"), name: []path{at("response", "name"), at("response", "nickname")},
				email: at("response", "email"), image: []path{at("response", "profile_image")},
				refuse: func(a *wire.Object) bool { return a.Text("resultcode") != "00" },
			},
		},
		"notion": {
			name: "Notion", authorize: "https://api.notion.com/v1/oauth/authorize", token: "https://api.notion.com/v1/oauth/token",
			userInfo: "https://api.notion.com/v1/users/me", hint: true, basic: true, postRefresh: true,
			fixed: params("owner", "user"), identifies: notionUser,
			user: mapping{
				profile: at("bot", "owner", "user"), id: at("id"), name: []path{at("name")}, email: at("person", "email"),
				image: []path{at("avatar_url")},
			},
		},
		"paybin": {
			name: "Paybin", base: func(o *Options) string { return or(o.Issuer, "https://idp.paybin.io") },
			authorize: "{base}/oauth2/authorize", token: "{base}/oauth2/token", scopes: []string{"openid", "email", "profile"},
			pkce: pkceFull, hint: true, secret: true, takes: []string{"Issuer", "Prompt"},
			signed: &signed{issuers: []string{"{base}"}, maxAge: maxTokenAge},
			user:   named(oidcUser(), at("name"), at("preferred_username")),
		},
		"polar": {
			name: "Polar", authorize: "https://polar.sh/oauth2/authorize", token: "https://api.polar.sh/v1/oauth2/token",
			userInfo: "https://api.polar.sh/v1/oauth2/userinfo", scopes: []string{"openid", "profile", "email"}, pkce: pkceFull,
			takes: []string{"Prompt"},
			user: mapping{
				id: at("id"), name: []path{at("public_name"), at("username")}, email: at("email"), image: []path{at("avatar_url")},
				verified: at("email_verified"),
			},
		},
		"railway": {
			name: "Railway", authorize: "https://backboard.railway.com/oauth/auth", token: "https://backboard.railway.com/oauth/token",
			userInfo: "https://backboard.railway.com/oauth/me", scopes: []string{"openid", "email", "profile"}, pkce: pkceFull, basic: true,
			user: mapping{id: at("sub"), name: []path{at("name")}, email: at("email"), image: []path{at("picture")}},
		},
		"roblox": {
			name: "Roblox", authorize: "https://apis.roblox.com/oauth/v1/authorize", token: "https://apis.roblox.com/oauth/v1/token",
			userInfo: "https://apis.roblox.com/oauth/v1/userinfo", scopes: []string{"openid", "profile"},
			prompt: "select_account consent", takes: []string{"Prompt"},
			user: mapping{
				id: at("sub"), name: []path{at("nickname"), at("preferred_username")}, image: []path{at("picture")}, placeholder: "roblox",
			},
		},
		"salesforce": {
			name: "Salesforce", base: salesforceHost, authorize: "{base}/services/oauth2/authorize",
			token: "{base}/services/oauth2/token", userInfo: "{base}/services/oauth2/userinfo",
			scopes: []string{"openid", "email", "profile"}, pkce: pkceFull, secret: true, takes: []string{"Environment", "LoginURL"},
			check: func(o *Options) error { return environment(o, "sandbox") },
			user: mapping{
				id: at("user_id"), name: []path{at("name")}, email: at("email"),
				image: []path{at("photos", "picture"), at("photos", "thumbnail")}, verified: at("email_verified"),
			},
		},
		"slack": {
			name: "Slack", authorize: "https://slack.com/openid/connect/authorize", token: "https://slack.com/api/openid.connect.token",
			userInfo: "https://slack.com/api/openid.connect.userInfo", scopes: []string{"openid", "profile", "email"}, bodyFirst: true,
			user: mapping{
				id: at("https://slack.com/user_id"), name: []path{at("name")}, email: at("email"),
				image: []path{at("picture"), at("https://slack.com/user_image_512")}, verified: at("email_verified"),
			},
		},
		"spotify": {
			name: "Spotify", authorize: "https://accounts.spotify.com/authorize", token: "https://accounts.spotify.com/api/token",
			userInfo: "https://api.spotify.com/v1/me", scopes: []string{"user-read-email"}, pkce: pkceFull, identifies: spotifyUser,
		},
		"twitch": {
			name: "Twitch", authorize: "https://id.twitch.tv/oauth2/authorize", token: "https://id.twitch.tv/oauth2/token",
			scopes: []string{"user:read:email", "openid"}, takes: []string{"Claims"}, shape: twitchClaims,
			signed: &signed{issuers: []string{"https://id.twitch.tv/oauth2"}, jwks: "https://id.twitch.tv/oauth2/keys", maxAge: maxTokenAge},
			user:   named(oidcUser(), at("preferred_username")),
		},
		"vercel": {
			name: "Vercel", authorize: "https://vercel.com/oauth/authorize", token: "https://api.vercel.com/login/oauth/token",
			userInfo: "https://api.vercel.com/login/oauth/userinfo", pkce: pkceFull, noRefresh: true,
			user: named(oidcUser(), at("name"), at("preferred_username")),
		},
		"zoom": {
			name: "Zoom", authorize: "https://zoom.us/oauth/authorize", token: "https://zoom.us/oauth/token",
			userInfo: "https://api.zoom.us/v2/users/me", pkce: pkceFull, takes: []string{"PKCE"}, shape: zoomScopes,
			user: mapping{
				id: at("id"), name: []path{at("display_name")}, email: at("email"), image: []path{at("pic_url")},
				verified: at("verified"), truthy: true,
			},
		},
	}
}

// named is a mapping with other names.
func named(m mapping, names ...path) mapping {
	m.name = names
	return m
}

// twitchClaims asks for what Twitch puts into an id_token only when asked. Keys of a JavaScript object: once each.
func twitchClaims(o *Options, a *authorization) {
	wanted := o.Claims
	if len(wanted) == 0 {
		wanted = []string{"email", "email_verified", "preferred_username", "picture"}
	}
	object := new(wire.Object)
	for _, claim := range append([]string{"email", "email_verified"}, wanted...) {
		object.Set(claim, nil)
	}
	whole := new(wire.Object)
	whole.Set("id_token", object)
	a.claims = string(wire.Append(nil, whole))
}

// zoomScopes: Zoom gives what the app was registered for and is asked for nothing.
func zoomScopes(_ *Options, a *authorization) { a.scope = "" }

// discordPermissions go with the scope bot.
func discordPermissions(o *Options, scopes []string) []Param {
	if o.Permissions == nil || !slices.Contains(scopes, "bot") {
		return nil
	}
	return params("permissions", strconv.FormatUint(*o.Permissions, 10))
}
