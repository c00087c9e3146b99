package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/oauth/provider/wire"
)

// Tokens are a provider's answer. nil is "not sent". It prints as a placeholder everywhere.
type Tokens struct {
	Access, Refresh, ID               *string
	AccessExpiresAt, RefreshExpiresAt *time.Time
	Scopes                            []string
	ScopeText                         string         // Scopes as the account table has them: joined with ","
	Raw                               map[string]any // the answer; strings, bools, nil, json.Number, maps and slices
	answer                            *wire.Object
}

// String hides the tokens.
func (t Tokens) String() string { return "tokens(redacted)" }

// Format hides them from every verb, %#v included.
func (t Tokens) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(t.String())) }

// LogValue hides them from slog.
func (t Tokens) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalJSON hides them from JSON: whoever must store them takes the fields.
func (t Tokens) MarshalJSON() ([]byte, error) { return []byte(`"tokens(redacted)"`), nil }

var errNoAccessToken = errors.New("the answer has no access_token")

// parseTokens reads a token endpoint's answer. Better Auth takes one without access_token and fails later.
func parseTokens(body []byte, now time.Time, secrets ...string) (*Tokens, error) {
	answer, err := wire.ParseObject(body)
	if err != nil {
		return nil, err
	}
	return readTokens(answer, now, secrets...)
}

func readTokens(answer *wire.Object, now time.Time, secrets ...string) (*Tokens, error) {
	if code := answer.Text("error"); code != "" {
		return nil, fmt.Errorf("the provider says %s", wire.Quote(strings.TrimSpace(code+" "+answer.Text("error_description")), secrets...))
	}
	t := &Tokens{
		Access: word(answer, "access_token"), Refresh: word(answer, "refresh_token"), ID: word(answer, "id_token"),
		AccessExpiresAt:  expiry(answer.Get("expires_in"), now),
		RefreshExpiresAt: expiry(answer.Get("refresh_token_expires_in"), now),
		Scopes:           scopes(answer.Get("scope")),
		Raw:              plain(answer).(map[string]any),
		answer:           answer,
	}
	t.ScopeText = strings.Join(t.Scopes, ",")
	if t.Access == nil {
		return nil, errNoAccessToken
	}
	return t, nil
}

func word(o *wire.Object, name string) *string {
	if s := o.Text(name); s != "" {
		return &s
	}
	return nil
}

// scopes splits a string at white space; some providers send an array. GitHub's "a,b" stays one scope, as with Better
// Auth, and is stored as the same text.
func scopes(v any) []string {
	split := []string{}
	switch v := v.(type) {
	case string:
		split = append(split, strings.Fields(v)...)
	case []any:
		for _, item := range v {
			if s, ok := item.(string); ok && strings.TrimSpace(s) != "" {
				split = append(split, strings.TrimSpace(s))
			}
		}
	}
	return split
}

// expiry reads a number of seconds, which some providers send as a string. Nothing, 0 and what no calendar holds is nil.
func expiry(v any, now time.Time) *time.Time {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || seconds == 0 || math.IsNaN(seconds) || math.Abs(seconds) > 5e9 {
		return nil
	}
	at := now.Add(time.Duration(seconds*1000) * time.Millisecond)
	return &at
}

func plain(v any) any {
	switch v := v.(type) {
	case *wire.Object:
		m := make(map[string]any, len(v.Keys()))
		for _, key := range v.Keys() {
			m[key] = plain(v.Get(key))
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plain(v[i])
		}
		return list
	}
	return v
}
