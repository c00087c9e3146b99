package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/usherauth/usher/oauth/provider/wire"
)

const weixin = "https://api.weixin.qq.com/sns"

// wechat is OAuth2 in spirit: everything by GET, appid for the client id, and errors with status 200.
func wechat() preset {
	return preset{
		name: "WeChat", authorize: "https://open.weixin.qq.com/connect/qrconnect#wechat_redirect", token: weixin + "/oauth2/access_token",
		userInfo: weixin + "/userinfo", scopes: []string{"snsapi_login"}, secret: true, takes: []string{"Lang"},
		authorizes: wechatAuthorize, exchanges: wechatExchange, refreshes: wechatRefresh, identifies: wechatUser,
	}
}

func wechatAuthorize(s *standard, a Authorization) string {
	p := params(
		"scope", strings.Join(s.requested(a.Scopes), ","), "response_type", "code", "appid", s.client.id,
		"redirect_uri", or(s.o.RedirectURI, a.RedirectURI), "state", a.State, "lang", or(s.o.Lang, "cn"),
	)
	return wire.AppendQuery(s.authorize, additional(p, a.Additional, "appid"))
}

// wechatTokens asks by GET: secrets stand in the URL, which no error of the caller names.
func wechatTokens(ctx context.Context, s *standard, url string, query []Param) (*Tokens, error) {
	answer, err := s.client.caller.Do(ctx, wire.Request{Method: http.MethodGet, URL: wire.AppendQuery(url, query)})
	if err != nil {
		return nil, err
	}
	object, err := wire.ParseObject(answer.Body)
	if err != nil || !answer.OK() {
		return nil, fmt.Errorf("status %d, or no JSON", answer.Status)
	}
	if wire.Truthy(object.Get("errcode")) {
		code, _ := object.Get("errcode").(json.Number)
		return nil, fmt.Errorf("the provider says errcode %s", wire.Quote(code.String()))
	}
	if scope := object.Text("scope"); scope != "" {
		object.Set("scope", strings.ReplaceAll(scope, ",", " "))
	}
	return readTokens(object, s.client.now())
}

func wechatExchange(ctx context.Context, s *standard, e Exchange) (*Tokens, error) {
	return wechatTokens(ctx, s, s.token, params(
		"appid", s.client.id, "secret", s.client.secret, "code", e.Code, "grant_type", "authorization_code"))
}

func wechatRefresh(ctx context.Context, s *standard, token string) (*Tokens, error) {
	return wechatTokens(ctx, s, weixin+"/oauth2/refresh_token", params(
		"appid", s.client.id, "grant_type", "refresh_token", "refresh_token", token))
}

// wechatUser needs the openid that came with the tokens; those of the account table have none, as with Better Auth.
func wechatUser(ctx context.Context, s *standard, t *Tokens, _ Callback) (*Identity, error) {
	openid, _ := t.Raw["openid"].(string)
	if openid == "" || t.Access == nil {
		return nil, errors.New("no openid")
	}
	query := params("access_token", *t.Access, "openid", openid, "lang", "zh_CN")
	profile, err := s.client.object(ctx, wire.Request{Method: http.MethodGet, URL: wire.AppendQuery(s.userInfo, query)})
	if err != nil {
		return nil, fmt.Errorf("userinfo: %w", err)
	}
	id := or(profile.Text("unionid"), profile.Text("openid"))
	if wire.Truthy(profile.Get("errcode")) || id == "" {
		return nil, errors.New("userinfo has no person")
	}
	email := or(profile.Text("email"), placeholder(id, "wechat"))
	return identity(id, email, profile.Text("nickname"), profile.Get("headimgurl"), false, profile)
}
