package remote

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/usherauth/usher/gate"
)

// recorded is what 1.7.25 answered.
const recorded = `{"session":{"expiresAt":"2026-12-01T23:59:55.418Z","token":"vYx9XlrirZvMEt2mBfRMaQcsVHMXGUTY","createdAt":"2026-11-24T23:59:55.418Z",` +
	`"updatedAt":"2026-11-24T23:59:55.476Z","ipAddress":"","userAgent":"","userId":"Y0FfgyuNOV3jSVB6wZMMgkICeYLHTeZ4","activeOrganizationId":"LF6IKfwcJAM6jYJhx9LgGPEzh0W4wC0r",` +
	`"activeTeamId":"b7jtqaa2lcadX2uCijbL8pZbL3IsG6wb","impersonatedBy":null,"id":"d3dX654B8sWUD4HZcOCatQa2hrbUvPO9"},"user":{"name":"A","email":"a@e.com",` +
	`"emailVerified":false,"image":null,"createdAt":"2026-11-24T23:59:55.266Z","updatedAt":"2026-11-24T23:59:55.266Z","role":"user","banned":false,"banReason":null,` +
	`"banExpires":null,"id":"Y0FfgyuNOV3jSVB6wZMMgkICeYLHTeZ4"}}`

// FuzzSession: what is read as a session says so itself, by the very names and types.
func FuzzSession(f *testing.F) {
	const token = "vYx9XlrirZvMEt2mBfRMaQcsVHMXGUTY"
	f.Add(recorded, token)
	f.Add(strings.ReplaceAll(recorded, "null", `"2026-12-01T23:59:55+01:00"`), token)
	f.Add(strings.Replace(recorded, "token", "Token", 1), token)
	f.Add(recorded, strings.ToLower(token))
	f.Add("null", "")
	f.Add(`{"session":{},"user":{}}`, "")
	f.Fuzz(func(t *testing.T, body, token string) {
		p, err := readSession([]byte(body), token)
		if err != nil {
			if p != nil {
				t.Fatalf("a session and %v", err)
			}
			if errors.Is(err, gate.ErrNoSession) && !strings.Contains(body, "session") {
				t.Fatalf("nobody by %q", body)
			}
			return
		}
		var all map[string]map[string]any
		var loose map[string]any
		if err := json.Unmarshal([]byte(body), &loose); err != nil {
			t.Fatalf("no JSON was read: %v", err)
		}
		all = map[string]map[string]any{}
		for _, part := range []string{"session", "user"} {
			all[part], _ = loose[part].(map[string]any)
		}
		banned, _ := all["user"]["banned"].(bool)
		if all["session"]["token"] != token || all["session"]["id"] != p.Session.ID || p.Session.ID == "" || p.User.ID == "" ||
			all["session"]["userId"] != p.User.ID || all["user"]["id"] != p.User.ID || all["user"]["email"] != p.User.Email ||
			banned != p.User.Banned || p.Session.ExpiresAt.IsZero() || p.Session.CreatedAt.IsZero() {
			t.Fatalf("%q was read as %+v", body, p)
		}
	})
}

// FuzzLists: whatever is read of organizations has ids, and is the user's own.
func FuzzLists(f *testing.F) {
	f.Add(`[{"name":"O","slug":"o","logo":null,"createdAt":"2026-11-24T23:59:55.458Z","metadata":null,"id":"o1"},null]`)
	f.Add(`{"members":[{"organizationId":"o1","userId":"u1","role":"owner","createdAt":"2026-11-24T23:59:55.460Z","id":"m1","user":{"id":"u1"}}],"total":1}`)
	f.Add(`[{"name":"O","organizationId":"o1","createdAt":"2026-11-24T23:59:55.461Z","updatedAt":null,"id":"t1"}]`)
	f.Add(`{"members":[{"userId":"u2"}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		organizations, err := readOrganizations([]byte(body))
		for i, o := range organizations {
			if o.id == "" || err != nil || i > 0 && o.createdAt.Before(organizations[i-1].createdAt) {
				t.Fatalf("%q was read as %+v, %v", body, organizations, err)
			}
		}
		if n := len(oldest(organizations, "o1")); n > mostOrganizations {
			t.Fatalf("%d organizations", n)
		}
		members, err := readMembers([]byte(body), "o1", "u1")
		if len(members) > 0 && (err != nil || !strings.Contains(body, "u1") || !strings.Contains(body, "o1")) && !strings.Contains(body, `\u`) {
			t.Fatalf("%q was read as %+v, %v", body, members, err)
		}
		teams, err := readTeams([]byte(body))
		for of, ids := range teams {
			if of == "" || len(ids) == 0 || err != nil {
				t.Fatalf("%q was read as %v, %v", body, teams, err)
			}
		}
	})
}
