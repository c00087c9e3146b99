package redis

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const whole = `{"session":{"id":"s1","userId":"u1","token":"token","createdAt":"2026-11-21T20:38:43.151Z","expiresAt":"2026-11-28T20:38:43.151Z"},` +
	`"user":{"id":"u1","name":"Ada","email":"ada@example.com","emailVerified":true,"role":"user"}}`

func TestParse(t *testing.T) {
	t.Parallel()
	without := func(part string) string { return strings.Replace(whole, part, "", 1) }
	instead := func(part, other string) string { return strings.Replace(whole, part, other, 1) }
	for name, c := range map[string]struct {
		value string
		ok    bool
		is    func(r record) bool
	}{
		"whole":                 {whole, true, func(r record) bool { return r.session.ID == "s1" && r.user.Name == "Ada" && r.user.Roles == "user" }},
		"no id, as 1.4 has it":  {without(`"id":"s1",`), true, func(r record) bool { return r.session.ID == "" && r.userID == "u1" }},
		"no token":              {without(`"token":"token",`), true, nil},
		"neither":               {instead(`"id":"s1","userId":"u1","token":"token",`, `"userId":"u1",`), false, nil},
		"another token":         {instead(`"token":"token"`, `"token":"other"`), false, nil},
		"null for a token":      {instead(`"token":"token"`, `"token":null`), false, nil},
		"no user":               {whole[:strings.Index(whole, `,"user"`)] + "}", false, nil},
		"null for a user":       {whole[:strings.Index(whole, `,"user"`)] + `,"user":null}`, false, nil},
		"another user":          {instead(`"userId":"u1"`, `"userId":"u2"`), false, nil},
		"no user id":            {without(`"userId":"u1",`), false, nil},
		"no creation":           {without(`"createdAt":"2026-11-21T20:38:43.151Z",`), false, nil},
		"no end":                {without(`,"expiresAt":"2026-11-28T20:38:43.151Z"`), false, nil},
		"an end that is none":   {instead(`2026-11-28T20:38:43.151Z`, `tomorrow`), false, nil},
		"numbers for times":     {instead(`"2026-11-28T20:38:43.151Z"`, `1795898323151`), true, func(r record) bool { return r.session.ExpiresAt.UnixMilli() == 1795898323151 }},
		"numbers for ids":       {strings.ReplaceAll(whole, `"u1"`, `12345678901234567890`), true, func(r record) bool { return r.user.ID == "12345678901234567890" }},
		"a user's own Role":     {instead(`"role":"user"`, `"role":"user","Role":"admin","ROLE":"admin"`), true, func(r record) bool { return r.user.Roles == "user" }},
		"a user's own Banned":   {instead(`"role":"user"`, `"banned":true,"Banned":false`), true, func(r record) bool { return r.user.Banned && r.user.BanExpires.IsZero() }},
		"banned for a while":    {instead(`"role":"user"`, `"banned":true,"banExpires":"2026-12-01T00:00:00.000Z"`), true, func(r record) bool { return r.user.Banned && r.user.BanExpires.Month() == time.December }},
		"banned by a number":    {instead(`"role":"user"`, `"banned":1`), true, func(r record) bool { return r.user.Banned }},
		"old spelling of roles": {instead(`"role":"user"`, `"role":" user, admin,"`), true, func(r record) bool { return r.user.Roles == "user,admin" }},
		"null for a role":       {instead(`"role":"user"`, `"role":null`), true, func(r record) bool { return r.user.Roles == "" }},
		"twice the same name":   {instead(`"role":"user"`, `"role":"admin","role":"user"`), true, func(r record) bool { return r.user.Roles == "user" }},
		"more behind it":        {whole + "x", false, nil},
		"a list":                {"[" + whole + "]", false, nil},
		"text":                  {fmt.Sprintf("%q", whole), false, nil},
		"null":                  {"null", false, nil},
		"a list of sessions":    {`[{"token":"token","expiresAt":1795294523151}]`, false, nil},
		"deep":                  {strings.Repeat(`{"session":`, 20000), false, nil},
		"much":                  {whole[:1] + strings.Repeat(" ", longest) + whole[1:], false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, ok := parse(c.value, "token")
			if ok != c.ok || ok && c.is != nil && !c.is(r) {
				t.Errorf("got %+v, %v", r, ok)
			}
		})
	}
}

// FuzzParse: whatever a key holds, a session is whole and the one that was asked for.
func FuzzParse(f *testing.F) {
	f.Add(whole, "token")
	f.Add(`[{"token":"token","expiresAt":1795294523151}]`, "token")
	f.Add(`{"session":{"token":"a","userId":1,"createdAt":1e3,"expiresAt":8.64e15},"user":{"id":1}}`, "a")
	f.Add(`{"session":{"token":"\ud800","userId":"","createdAt":-1e999},"user":[]}`, "\uFFFD")
	f.Add("1795293545391", "x")
	f.Fuzz(func(t *testing.T, value, token string) {
		r, ok := parse(value, token)
		if !ok {
			return
		}
		if r.userID == "" || r.user.ID != r.userID || r.session.CreatedAt.IsZero() || r.session.ExpiresAt.IsZero() {
			t.Errorf("not whole: %+v", r)
		}
		if y := r.session.ExpiresAt.Year(); y < -271821 || y > 275760 {
			t.Errorf("the year %d", y)
		}
	})
}

func FuzzRevoked(f *testing.F) {
	f.Add(int64(1000), "1000")
	f.Add(int64(1000), "1e3")
	f.Add(int64(0), "NaN")
	f.Fuzz(func(t *testing.T, ms int64, tombstone string) {
		if ms < -8640000000000000 || ms > 8640000000000000 {
			return
		}
		at := time.UnixMilli(ms)
		if revoked(at, fmt.Sprint(ms)) || !revoked(at, fmt.Sprint(ms+1)) {
			t.Errorf("%d: the edge is elsewhere", ms)
		}
		revoked(at, tombstone)
	})
}
