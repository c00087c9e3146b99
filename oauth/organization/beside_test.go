package organization

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/oauth/roomtest"
	"github.com/usherauth/usher/store/accounts"
	"github.com/usherauth/usher/store/redisconn"
)

// asked is one request that both sides are asked, each with the same rows in the database.
type asked struct {
	name    string
	method  string
	path    string // below /api/auth
	body    string
	headers []string
	differs bool // on purpose: docs/companion.md says why
}

const unknown = "unknownunknownunknownunknownunkn"

// town is who belongs where: Ada owns one and is a member of two, which Bob owns; Carol is an admin of one, and Dan a member
// with a role nobody knows; Eve owns three, alone.
type town struct {
	ada, bob, carol, dan, eve *testenv.Person
	one, two, three           testenv.Org
	flush                     func() error // empties the secondary storage; nil: there is none
}

func settle(t *testing.T, theirs *testenv.BetterAuthServer) *town {
	t.Helper()
	sign := func(name string) *testenv.Person { return theirs.SignUp(t, name, strings.ToLower(name)+"@example.com") }
	c := &town{ada: sign("Ada"), bob: sign("Bob"), carol: sign("Carol"), dan: sign("Dan"), eve: sign("Eve")}
	c.one = theirs.CreateOrganization(t, c.ada, "One ☃", "one")
	c.two, c.three = theirs.CreateOrganization(t, c.bob, "Two", "two"), theirs.CreateOrganization(t, c.eve, "Three", "three")
	time.Sleep(2 * time.Millisecond) // members are told apart by when they came
	theirs.AddMember(t, c.two, c.ada, "member")
	time.Sleep(2 * time.Millisecond)
	theirs.AddMember(t, c.one, c.carol, "admin")
	time.Sleep(2 * time.Millisecond)
	theirs.AddMember(t, c.one, c.dan, "member")
	theirs.CreateTeam(t, c.ada, c.one, "Red")
	for email, role := range map[string]any{"m@example.com": "member", "o@example.com": "owner", "a@example.com": []string{"admin", "owner"}} {
		if r := theirs.Call(t, c.ada, "POST", "/organization/invite-member", map[string]any{"email": email, "role": role, "organizationId": c.one.ID}); r.Status != http.StatusOK {
			t.Fatalf("invitation: %d %s", r.Status, r.Body)
		}
	}
	if r := theirs.Call(t, c.bob, "POST", "/organization/update", map[string]any{"organizationId": c.two.ID, "data": map[string]any{"metadata": map[string]any{"a": 1}, "logo": "https://x.test/l.png"}}); r.Status != http.StatusOK {
		t.Fatalf("update: %d %s", r.Status, r.Body)
	}
	return c
}

// sessions are there before each request, by who and where they are.
func (c *town) sessions(w *world) {
	if c.flush != nil {
		w.must(c.flush())
	} else {
		for _, p := range []*testenv.Person{c.ada, c.carol, c.dan, c.eve} {
			w.must(w.store.DeleteSessionsOf(w.Context(), p.UserID, ""))
		}
	}
	w.put(c.ada.UserID, "nowhere", "", time.Hour)
	w.put(c.ada.UserID, "in-one", c.one.ID, time.Hour)
	w.put(c.ada.UserID, "in-two", c.two.ID, time.Hour)
	w.put(c.ada.UserID, "in-three", c.three.ID, time.Hour)
	w.put(c.ada.UserID, "in-none", "no-such-organization", time.Hour)
	w.put(c.ada.UserID, "due", c.one.ID, day+time.Hour)
	w.put(c.ada.UserID, "over", c.one.ID, 7*day+time.Second)
	w.put(c.carol.UserID, "carol", c.one.ID, time.Hour)
	w.put(c.dan.UserID, "dan", c.one.ID, time.Hour)
	w.put(c.eve.UserID, "eve", c.three.ID, time.Hour)
}

func with(token string, more ...string) []string {
	return append([]string{"Cookie", roomtest.Cookie(token)}, more...)
}

func posting(token string) []string {
	return with(token, "Origin", base, "Content-Type", "application/json")
}

func (c *town) requests() []asked {
	var all []asked
	gets := []string{"/organization/list", "/organization/get-full-organization", "/organization/get-active-member", "/organization/get-active-member-role"}
	for _, path := range gets {
		for _, token := range []string{"nowhere", "in-one", "in-two", "in-three", "in-none", "due", "over", "carol", "dan", "eve", unknown} {
			all = append(all, asked{name: path + " as " + token, method: "GET", path: path, headers: with(token)})
		}
		all = append(all,
			asked{name: path + ", nobody", method: "GET", path: path},
			asked{name: path + ", by bearer", method: "GET", path: path, headers: []string{"Authorization", "Bearer in-one"}},
			asked{name: path + " by POST", method: "POST", path: path, headers: posting("in-one"), body: "{}"},
			asked{name: path + " by HEAD", method: "HEAD", path: path, headers: with("in-one")},
			asked{name: path + "/", method: "GET", path: path + "/", headers: with("in-one")},
			asked{name: path + "?x=1", method: "GET", path: path + "?x=1&x=2", headers: with("in-one")},
			asked{name: path + ", not remembered", method: "GET", path: path, headers: []string{"Cookie", roomtest.Cookie("due") + "; better-auth.dont_remember=" + betterauth.Sign(testenv.TestSecret, "true")}})
	}
	for _, query := range []string{
		"organizationId=" + c.one.ID, "organizationId=" + c.two.ID, "organizationId=" + c.three.ID, "organizationId=nope", "organizationId=", "organizationSlug=one", "organizationSlug=three", "organizationSlug=nope",
		"organizationSlug=", "organizationSlug=one&organizationId=" + c.three.ID, "organizationSlug=three&organizationId=" + c.one.ID, "organizationId=a&organizationId=b", "organizationSlug=a&organizationSlug=b",
		"userId=" + c.carol.UserID, "userId=" + c.eve.UserID, "userId=nope", "userId=", "userId=" + c.ada.UserID, "userId=a&userId=b", "userId=" + c.bob.UserID + "&organizationSlug=two",
		"membersLimit=1", "membersLimit=2", "membersLimit=0", "membersLimit=", "membersLimit=x", "membersLimit=2x", "membersLimit=%202", "membersLimit=1.9", "membersLimit=%2B1", "membersLimit=1&membersLimit=2", "membersLimit=1&organizationSlug=two",
	} {
		for _, path := range gets[1:] {
			for _, token := range []string{"in-one", "nowhere", "dan"} {
				all = append(all, asked{name: path + "?" + query + " as " + token, method: "GET", path: path + "?" + query, headers: with(token)})
			}
		}
	}
	return append(all, c.switches()...)
}

func (c *town) switches() []asked {
	const path = "/organization/set-active"
	var all []asked
	id := func(id string) string { return `{"organizationId":"` + id + `"}` }
	bodies := []string{
		id(c.one.ID), id(c.two.ID), id(c.three.ID), id("nope"), id(""), `{"organizationId":null}`, `{"organizationId":null,"organizationSlug":"two"}`, `{"organizationSlug":"two"}`, `{"organizationSlug":"three"}`,
		`{"organizationSlug":"nope"}`, `{"organizationSlug":""}`, `{"organizationId":"","organizationSlug":"two"}`, `{"organizationId":"` + c.one.ID + `","organizationSlug":"two"}`, `{}`,
	}
	for _, body := range bodies {
		for _, token := range []string{"nowhere", "in-one", "in-three", "in-none"} {
			all = append(all, asked{name: "set-active " + body + " as " + token, method: "POST", path: path, headers: posting(token), body: body})
		}
	}
	for _, body := range []string{
		"", "{", "null", "1", "true", `"x"`, "[]", `{"organizationId":1}`, `{"organizationId":["x"]}`, `{"organizationSlug":null}`, `{"organizationSlug":7}`, `{"organizationId":{},"organizationSlug":[]}`, `{"x":1}`,
		`{"organizationId":"` + c.two.ID + `","x":1}`, `{"callbackURL":"https://evil.example","organizationId":null}`, "{}x", "\xff",
	} {
		all = append(all, asked{name: "set-active " + body, method: "POST", path: path, headers: posting("in-one"), body: body})
	}
	two := id(c.two.ID)
	forget := "; better-auth.dont_remember=" + betterauth.Sign(testenv.TestSecret, "true")
	return append(all,
		asked{name: "set-active, due", method: "POST", path: path, headers: posting("due"), body: two},
		asked{name: "set-active, not remembered", method: "POST", path: path, headers: []string{"Cookie", roomtest.Cookie("in-one") + forget, "Origin", base, "Content-Type", "application/json"}, body: two},
		asked{name: "set-active, over", method: "POST", path: path, headers: posting("over"), body: two},
		asked{name: "set-active, unknown", method: "POST", path: path, headers: posting(unknown), body: two},
		asked{name: "set-active, nobody", method: "POST", path: path, headers: []string{"Content-Type", "application/json"}, body: two},
		asked{name: "set-active, nobody, malformed", method: "POST", path: path, headers: []string{"Content-Type", "application/json"}, body: `{"organizationId":1}`},
		asked{name: "set-active, by bearer", method: "POST", path: path, headers: []string{"Authorization", "Bearer in-one", "Content-Type", "application/json"}, body: two},
		asked{name: "set-active, a foreign page", method: "POST", path: path, headers: with("in-one", "Origin", "https://evil.example", "Content-Type", "application/json"), body: two},
		asked{name: "set-active, no origin", method: "POST", path: path, headers: with("in-one", "Content-Type", "application/json"), body: two},
		asked{name: "set-active, text", method: "POST", path: path, headers: with("in-one", "Origin", base, "Content-Type", "text/plain"), body: two},
		asked{name: "set-active by GET", method: "GET", path: path, headers: with("in-one")},
	)
}

// TestBesideBetterAuth asks the real library and our router the same, on the same database, and compares what they answer
// and which organization is active afterwards.
func TestBesideBetterAuth(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		beside(t, testenv.BetterAuthConfig{DatabaseURL: "sqlite://" + t.TempDir() + "/auth.db"})
	})
	t.Run("postgres", func(t *testing.T) {
		beside(t, testenv.BetterAuthConfig{DatabaseURL: testenv.Postgres(t).NewDatabase(t)})
	})
	t.Run("redis", func(t *testing.T) {
		beside(t, testenv.BetterAuthConfig{DatabaseURL: "sqlite://" + t.TempDir() + "/auth.db", RedisURL: testenv.StartRedis(t).URL()})
	})
}

func beside(t *testing.T, config testenv.BetterAuthConfig) {
	config.BaseURL = base
	theirs := testenv.BetterAuth(t, config)
	c := settle(t, theirs)
	stores := accounts.Config{URL: config.DatabaseURL}
	if config.RedisURL != "" {
		stores.Redis = &accounts.Redis{URL: config.RedisURL, Prefix: "better-auth:"}
		client, err := redisconn.Open(config.RedisURL, redisconn.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		// Ending all sessions of somebody ends those that were begun before, too, and ours are put there old.
		c.flush = func() error { return client.FlushDB(t.Context()).Err() }
	}
	w := newWorld(t, stores)
	same := 0
	requests := c.requests()
	for _, a := range requests {
		t.Run(a.name, func(t *testing.T) {
			request := roomtest.Raw(a.method, "/api/auth"+a.path, a.body, a.headers...)
			want := c.outcome(t, w, strings.TrimPrefix(theirs.URL, "http://"), request)
			got := c.outcome(t, w, w.address, request)
			switch {
			case got == want:
				same++
				if a.differs {
					t.Errorf("no difference any more, in spite of docs/companion.md:\n%s", got)
				}
			case !a.differs:
				t.Errorf("we say\n%s\n\nBetter Auth says\n%s", got, want)
			}
		})
	}
	t.Logf("%d requests, %d answered alike in every byte that counts", len(requests), same)
}

func (c *town) outcome(t *testing.T, w *world, address, request string) string {
	t.Helper()
	w.TB = t
	c.sessions(w)
	answer := testenv.RawHTTP(t, address, request)
	var b strings.Builder
	b.WriteString(roomtest.Head(t, answer))
	// Rows' instants are the same on both sides; only those of the answer itself are not, and there are none.
	b.WriteString(answer.Body + "\n")
	for _, p := range []*testenv.Person{c.ada, c.carol, c.dan, c.eve} {
		b.WriteString(w.left(p.UserID) + "\n")
	}
	return b.String()
}

var invitation = regexp.MustCompile(`"email":"([^"]+)"`)

// An invitation's id is the key to accept it: only those who may invite see any, and only owners those that make owners.
func TestInvitationsAreForThoseWhoMayInvite(t *testing.T) {
	database := "sqlite://" + t.TempDir() + "/auth.db"
	c := settle(t, testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: database, BaseURL: base}))
	w := newWorld(t, accounts.Config{URL: database})
	c.sessions(w)
	for token, want := range map[string][]string{
		"in-one": {"a@example.com", "m@example.com", "o@example.com"}, "carol": {"m@example.com"}, "dan": nil,
	} {
		answer := testenv.RawHTTP(t, w.address, roomtest.Raw("GET", "/api/auth/organization/get-full-organization", "", with(token)...))
		var full struct{ Invitations []json.RawMessage }
		if err := json.Unmarshal([]byte(answer.Body), &full); err != nil {
			t.Fatalf("%s: %v", answer.Body, err)
		}
		var got []string
		for _, one := range full.Invitations {
			got = append(got, invitation.FindStringSubmatch(string(one))[1])
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s sees %v, want %v", token, got, want)
		}
	}
}

// Whoever remembers a session hears that it is elsewhere now, also when it lost its organization.
func TestASwitchedSessionIsForgotten(t *testing.T) {
	database := "sqlite://" + t.TempDir() + "/auth.db"
	c := settle(t, testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: database, BaseURL: base}))
	w := newWorld(t, accounts.Config{URL: database})
	c.sessions(w)
	for token, body := range map[string]string{
		"in-one": `{"organizationId":"` + c.two.ID + `"}`, "in-two": `{"organizationId":null}`, "in-three": `{"organizationSlug":"three"}`, "nowhere": `{"organizationId":null}`,
	} {
		testenv.RawHTTP(t, w.address, roomtest.Raw("POST", "/api/auth/organization/set-active", body, posting(token)...))
	}
	slices.Sort(w.forgotten)
	if want := []string{"in-one", "in-three", "in-two"}; !slices.Equal(w.forgotten, want) {
		t.Errorf("forgotten: %v, want %v", w.forgotten, want)
	}
}

func TestLimits(t *testing.T) {
	for text, want := range map[string]int{
		"": 100, "0": 100, "-1": 100, "x": 100, "7": 7, "7x": 7, "\n +7": 7, "1.9": 1, "1001": 1000, "99999999999999999999": 1000, "++1": 100,
	} {
		if got := limit(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// Without the plugin's tables there are no routes, as in the library without the plugin.
func TestWithoutOrganizations(t *testing.T) {
	database := "sqlite://" + t.TempDir() + "/auth.db"
	testenv.BetterAuth(t, testenv.BetterAuthConfig{DatabaseURL: database, BaseURL: base, Without: []string{"organization"}})
	w := newWorld(t, accounts.Config{URL: database})
	for _, path := range []string{"/organization/list", "/organization/get-full-organization"} {
		if answer := testenv.RawHTTP(t, w.address, roomtest.Raw("GET", "/api/auth"+path, "")); answer.Status != http.StatusNotFound || answer.Body != "" {
			t.Errorf("%s: %d %s", path, answer.Status, answer.Body)
		}
	}
}
