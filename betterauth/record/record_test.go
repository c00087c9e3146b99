package record_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth/record"
)

func text(s string) *string { return &s }

// The bodies were answered by 1.7.25 (vectors/http.json, plugins organization with teams and admin: vectors/redis.json).
func TestJSONHasTheLibrarysKeyOrder(t *testing.T) {
	at := time.Date(2026, 11, 21, 20, 41, 26, 14_000_000, time.UTC)
	no := false
	user := record.User{ID: "u", Name: "Ada", Email: "ada@example.com", CreatedAt: at, UpdatedAt: at.Add(900 * time.Microsecond), Role: text("user"), Banned: &no}
	session := record.Session{
		ID: "s", Token: "t", UserID: "u", ExpiresAt: at, CreatedAt: at, UpdatedAt: at.In(time.FixedZone("", 3600)),
		IPAddress: text("203.0.113.9"), UserAgent: text("rig/1.0"),
	}
	all := record.Shape{Organizations: true, Teams: true, Admin: true}
	for name, c := range map[string]struct{ got, want string }{
		"user, core": {
			string(user.AppendJSON(nil, record.Shape{})),
			`{"name":"Ada","email":"ada@example.com","emailVerified":false,"image":null,"createdAt":"2026-11-21T20:41:26.014Z","updatedAt":"2026-11-21T20:41:26.014Z","id":"u"}`,
		},
		"user, admin": {
			string(user.AppendJSON(nil, all)),
			`{"name":"Ada","email":"ada@example.com","emailVerified":false,"image":null,"createdAt":"2026-11-21T20:41:26.014Z","updatedAt":"2026-11-21T20:41:26.014Z","role":"user","banned":false,"banReason":null,"banExpires":null,"id":"u"}`,
		},
		"session, core": {
			string(session.AppendJSON(nil, record.Shape{})),
			`{"expiresAt":"2026-11-21T20:41:26.014Z","token":"t","createdAt":"2026-11-21T20:41:26.014Z","updatedAt":"2026-11-21T20:41:26.014Z","ipAddress":"203.0.113.9","userAgent":"rig/1.0","userId":"u","id":"s"}`,
		},
		"session, all": {
			string(session.AppendJSON([]byte("x"), all)),
			`x{"expiresAt":"2026-11-21T20:41:26.014Z","token":"t","createdAt":"2026-11-21T20:41:26.014Z","updatedAt":"2026-11-21T20:41:26.014Z","ipAddress":"203.0.113.9","userAgent":"rig/1.0","userId":"u","activeOrganizationId":null,"activeTeamId":null,"impersonatedBy":null,"id":"s"}`,
		},
		"organization": {
			string((&record.Organization{ID: "o", Name: "A & <B>", Slug: "a", Metadata: text(`{"k":1}`), CreatedAt: at}).AppendJSON(nil, all)),
			`{"name":"A & <B>","slug":"a","logo":null,"createdAt":"2026-11-21T20:41:26.014Z","metadata":"{\"k\":1}","id":"o"}`,
		},
		"member": {
			string((&record.Member{ID: "m", OrganizationID: "o", UserID: "u", Role: "owner", CreatedAt: at}).AppendJSON(nil, all)),
			`{"organizationId":"o","userId":"u","role":"owner","createdAt":"2026-11-21T20:41:26.014Z","id":"m"}`,
		},
	} {
		if c.got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, c.got, c.want)
		}
	}
}

// What JSON.stringify leaves alone and encoding/json does not: <, >, &, U+2028, U+2029.
func TestStringsAreWrittenAsJavaScriptDoes(t *testing.T) {
	got := string(record.AppendString(nil, "a\"\\\b\f\n\r\t\x01\x1f\x7f<>&\u2028é\xff"))
	if want := `"a\"\\\b\f\n\r\t\u0001\u001f` + "\x7f<>&\u2028é\ufffd\""; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// memberCount is a column since Better Auth 1.7, and stands in its answers where it is one.
func TestTeamsCountTheirMembersWhereTheyAreCounted(t *testing.T) {
	three := int64(3)
	team := record.Team{ID: "t", Name: "Core", OrganizationID: "o", CreatedAt: time.Unix(0, 0)}
	for count, want := range map[*int64]string{
		nil:    `{"name":"Core","organizationId":"o","createdAt":"1970-01-01T00:00:00.000Z","updatedAt":null,"id":"t"}`,
		&three: `{"name":"Core","memberCount":3,"organizationId":"o","createdAt":"1970-01-01T00:00:00.000Z","updatedAt":null,"id":"t"}`,
	} {
		team.MemberCount = count
		if got := string(team.AppendJSON(nil, record.Shape{Teams: true})); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestIdentifiersAreTheLibrarysKind(t *testing.T) {
	shape, seen := regexp.MustCompile(`^[a-zA-Z0-9]{32}$`), map[string]bool{}
	for range 200 {
		for _, s := range []string{record.ID(), record.Token()} {
			if !shape.MatchString(s) || seen[s] {
				t.Fatalf("%q", s)
			}
			seen[s] = true
		}
	}
}

func TestABanEnds(t *testing.T) {
	now := time.Unix(1000, 0)
	yes, no, before, after := true, false, now.Add(-1), now.Add(1)
	for name, c := range map[string]struct {
		user record.User
		want bool
	}{
		"no column":   {record.User{}, false},
		"not banned":  {record.User{Banned: &no, BanExpires: &after}, false},
		"for ever":    {record.User{Banned: &yes}, true},
		"still":       {record.User{Banned: &yes, BanExpires: &after}, true},
		"just now":    {record.User{Banned: &yes, BanExpires: &now}, true},
		"not anymore": {record.User{Banned: &yes, BanExpires: &before}, false},
	} {
		if got := c.user.BannedAt(now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
