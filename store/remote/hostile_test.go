package remote_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/remote"
)

// fake is what answers in Better Auth's place: well at first, and then as a test wants.
type fake struct {
	*httptest.Server
	mu   sync.Mutex
	says map[string]http.HandlerFunc // by path below /api/auth
	seen atomic.Pointer[http.Request]
}

const token = "CfGKi167y3hW3FhSqs998axwsNhZgpBx"

// members of a JSON object.
type members map[string]any

func (m members) with(more members) members {
	m = maps.Clone(m)
	maps.Copy(m, more)
	return m
}

func (m members) without(name string) members {
	m = maps.Clone(m)
	delete(m, name)
	return m
}

func (m members) String() string {
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func theSession() members {
	return members{
		"id": "s1", "token": token, "userId": "u1", "createdAt": "2026-11-24T20:42:28.632Z", "expiresAt": "2090-01-01T00:00:00.000Z",
		"updatedAt": "2026-11-24T20:42:28.632Z", "ipAddress": "", "userAgent": "", "activeOrganizationId": nil, "impersonatedBy": nil,
	}
}

func theUser() members {
	return members{
		"id": "u1", "name": "Ada", "email": "ada@example.com", "emailVerified": true, "image": nil, "role": "user",
		"banned": false, "banExpires": nil, "createdAt": "2026-11-24T20:42:28.632Z", "updatedAt": "2026-11-24T20:42:28.632Z",
	}
}

const acme = `[{"id":"o1","name":"Acme","slug":"acme","createdAt":"2026-11-24T20:42:28.632Z"}]`

const owner = `{"members":[{"id":"m1","organizationId":"o1","userId":"u1","role":"owner","createdAt":"2026-11-24T20:42:28.632Z","user":{"id":"u1"}}],"total":1}`

const core = `[{"id":"t1","name":"Core","organizationId":"o1"}]`

// say answers with a JSON text.
func say(text string) http.HandlerFunc { return answer(http.StatusOK, "application/json", text) }

func answer(status int, kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// clears answers that there is no such session.
func clears(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Add("Set-Cookie", "better-auth.session_token=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax")
	w.Header().Add("Set-Cookie", "better-auth.dont_remember=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax")
	_, _ = io.WriteString(w, "null")
}

func newFake(t testing.TB) *fake {
	f := &fake{says: map[string]http.HandlerFunc{
		"/ok":                           say(`{"ok":true}`),
		"/get-session":                  say(members{"session": theSession(), "user": theUser()}.String()),
		"/organization/list":            say(acme),
		"/organization/list-members":    say(owner),
		"/organization/list-user-teams": say(core),
	}}
	f.Server = httptest.NewUnstartedServer(f)
	f.Config.ErrorLog = log.New(io.Discard, "", 0)
	f.Start()
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/api/auth")
	f.mu.Lock()
	handler := f.says[path]
	f.mu.Unlock()
	switch probe := strings.Contains(r.Header.Get("Cookie"), "usher-asks-for-nobody"); {
	case probe && path == "/get-session":
		clears(w, r)
	case probe:
		answer(http.StatusUnauthorized, "application/json", `{"code":"UNAUTHORIZED"}`)(w, r)
	case handler == nil:
		w.WriteHeader(http.StatusNotFound)
	default:
		if path != "/ok" {
			f.seen.Store(r)
		}
		handler(w, r)
	}
}

func (f *fake) answers(path string, with http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.says[path] = with
}

func (f *fake) open(t testing.TB) *remote.Store {
	t.Helper()
	c := config(f.URL)
	c.Timeout = 20 * time.Second
	return mustOpen(t, c)
}

// TestNobodyIsNamed: no session is looked up in the place of a user, and nobody is asked.
func TestNobodyIsNamed(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := f.open(t)
	for _, id := range []string{"u1", token, ""} {
		if p, err := s.Resolve(t.Context(), gate.Named(id)); !errors.Is(err, store.ErrSessionsOnly) || errors.Is(err, gate.ErrNoSession) || p != nil {
			t.Errorf("%q: %v, %v", id, p, err)
		}
	}
	if f.seen.Load() != nil {
		t.Error("Better Auth was asked")
	}
}

func TestWhatIsAsked(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := f.open(t)
	if got := resolve(t, s, token); got.User.ID != "u1" || len(got.Memberships) != 1 || strings.Join(got.Memberships[0].Teams, " ") != "t1" {
		t.Fatalf("got %+v", got)
	}
	f.answers("/organization/list", say("[]"))
	f.answers("/organization/list-members", nil)
	if got := resolve(t, s, token); len(got.Memberships) > 0 {
		t.Errorf("got %+v", got)
	}
	cookies := "better-auth.session_token=" + betterauth.Sign(testenv.TestSecret, token) +
		"; better-auth.dont_remember=" + betterauth.Sign(testenv.TestSecret, "true")
	want := http.Header{"Accept": {"application/json"}, "User-Agent": {"usher"}, "Cookie": {cookies}}
	if got := f.seen.Load().Header; !maps.EqualFunc(got, want, func(a, b []string) bool { return strings.Join(a, "|") == strings.Join(b, "|") }) {
		t.Errorf("sent %v, want %v", got, want)
	}
	f.answers("/get-session", clears)
	nobody(t, s, token)
	if got := f.seen.Load().URL.RequestURI(); got != "/api/auth/get-session?disableCookieCache=true&disableRefresh=true" {
		t.Errorf("asked %s", got)
	}
}

// TestHostileAnswers: none is a session, and none says that there is no session.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	whole := func(session, user members) string { return members{"session": session, "user": user}.String() }
	session, user := theSession(), theUser()
	huge := strings.Repeat(" ", 300<<10)
	for name, c := range map[string]struct {
		path string
		says http.HandlerFunc
		want string
	}{
		"null of a cookie it did not believe": {"", say("null"), "better_auth.secret"},
		"null that clears another cookie": {"", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Set-Cookie", "session_token=; Max-Age=0")
			w.Header().Add("Set-Cookie", "better-auth.session_token=new.value; Path=/")
			say("null")(w, r)
		}, "better_auth.secret"},
		"null as a page":         {"", answer(200, "text/html", "null"), "not Better Auth"},
		"null without type":      {"", answer(200, "", "null"), "not Better Auth"},
		"null with another":      {"", answer(401, "application/json", "null"), "401"},
		"a page":                 {"", answer(200, "text/html; charset=utf-8", "<html>"), "not Better Auth"},
		"JSON as a page":         {"", answer(200, "text/html", whole(session, user)), "not Better Auth"},
		"nothing":                {"", answer(204, "", ""), "204"},
		"an empty answer":        {"", say(""), "no JSON object"},
		"an empty object":        {"", say("{}"), "session"},
		"a list":                 {"", say("[]"), "no JSON object"},
		"a text":                 {"", say(`"null"`), "no JSON object"},
		"false":                  {"", say("false"), "no JSON object"},
		"two values":             {"", say(whole(session, user) + "null"), "no JSON object"},
		"null and more":          {"", say("null null"), "no JSON object"},
		"half of it":             {"", say(whole(session, user)[:200]), "no JSON object"},
		"not UTF-8":              {"", say("\"\xff\""), "UTF-8"},
		"too large":              {"", say(whole(session, user) + huge), "256 KiB"},
		"null, and too large":    {"", func(w http.ResponseWriter, r *http.Request) { clears(w, r); _, _ = io.WriteString(w, huge) }, "256 KiB"},
		"created":                {"", answer(201, "application/json", whole(session, user)), "201"},
		"401":                    {"", answer(401, "application/json", `{"code":"UNAUTHORIZED"}`), "401 Unauthorized UNAUTHORIZED"},
		"401, gone meanwhile":    {"", answer(401, "application/json", `{"code":"FAILED_TO_GET_SESSION"}`), "401"},
		"401 of a proxy":         {"", answer(401, "text/html", "<html>"), "401"},
		"403":                    {"", answer(403, "", ""), "403"},
		"404":                    {"", answer(404, "", ""), "/api/auth"},
		"407":                    {"", answer(407, "", ""), "407"},
		"429":                    {"", answer(429, "application/json", `{"message":"Too many requests."}`), "rateLimit.customRules"},
		"500":                    {"", answer(500, "application/json", `{"code":"FAILED_TO_GET_SESSION"}`), "500 Internal Server Error FAILED_TO_GET_SESSION"},
		"a code that is no code": {"", answer(500, "application/json", `{"code":"`+token+`"}`), "500"},
		"503":                    {"", answer(503, "", ""), "503"},
		"a redirect":             {"", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, f302, http.StatusFound) }, "a redirect is not followed"},
		"a permanent redirect":   {"", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, f302, http.StatusPermanentRedirect) }, "a redirect is not followed"},
		"no status":              {"", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"the connection ends": {"", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			panic(http.ErrAbortHandler)
		}, ""},
		"less than announced": {"", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5000")
			say(whole(session, user))(w, r)
		}, "EOF"},
		"the request as headers":  {"", echo, "not shown"},
		"another session":         {"", say(whole(session.with(members{"token": "another"}), user)), "another session"},
		"another user":            {"", say(whole(session.with(members{"userId": "u2"}), user)), "another session"},
		"no session":              {"", say(members{"user": user}.String()), "session"},
		"no user":                 {"", say(members{"session": session}.String()), "user"},
		"user null":               {"", say(members{"session": session, "user": nil}.String()), "user"},
		"session null":            {"", say(members{"session": nil, "user": user}.String()), "session"},
		"other letters":           {"", say(members{"Session": session, "User": user}.String()), "session"},
		"a number for an id":      {"", say(whole(session, user.with(members{"id": 1}))), "user.id"},
		"an empty id":             {"", say(whole(session.with(members{"userId": ""}), user.with(members{"id": ""}))), "id"},
		"an empty session id":     {"", say(whole(session.with(members{"id": ""}), user)), "session.id"},
		"no name":                 {"", say(whole(session, user.without("name"))), "user.name"},
		"no email":                {"", say(whole(session, user.without("email"))), "user.email"},
		"a number for a name":     {"", say(whole(session, user.with(members{"name": 5}))), "user.name"},
		"no token":                {"", say(whole(session.without("token"), user)), "session.token"},
		"a list of tokens":        {"", say(whole(session.with(members{"token": []string{token}}), user)), "session.token"},
		"no end":                  {"", say(whole(session.without("expiresAt"), user)), "session.expiresAt"},
		"a number for the end":    {"", say(whole(session.with(members{"expiresAt": 4e12}), user)), "session.expiresAt"},
		"an end that is no time":  {"", say(whole(session.with(members{"expiresAt": "tomorrow"}), user)), "session.expiresAt"},
		"an end far away":         {"", say(whole(session.with(members{"expiresAt": "+275760-09-13T00:00:00.000Z"}), user)), "session.expiresAt"},
		"an empty end":            {"", say(whole(session.with(members{"expiresAt": ""}), user)), "session.expiresAt"},
		"no beginning":            {"", say(whole(session.without("createdAt"), user)), "session.createdAt"},
		"banned, perhaps":         {"", say(whole(session, user.with(members{"banned": "yes"}))), "user.banned"},
		"banned until a number":   {"", say(whole(session, user.with(members{"banned": true, "banExpires": 7}))), "user.banExpires"},
		"roles in a list":         {"", say(whole(session, user.with(members{"role": []string{"admin"}}))), "user.role"},
		"verified, perhaps":       {"", say(whole(session, user.with(members{"emailVerified": 1}))), "user.emailVerified"},
		"impersonated by a list":  {"", say(whole(session.with(members{"impersonatedBy": []string{}}), user)), "session.impersonatedBy"},
		"active in two":           {"", say(whole(session.with(members{"activeOrganizationId": []string{"a"}}), user)), "activeOrganizationId"},
		"organizations: 401":      {"/organization/list", answer(401, "application/json", ""), "401"},
		"organizations: 404":      {"/organization/list", answer(404, "", ""), "404"},
		"organizations: 429":      {"/organization/list", answer(429, "", ""), "rateLimit.customRules"},
		"organizations: 500":      {"/organization/list", answer(500, "", ""), "500"},
		"organizations: null":     {"/organization/list", say("null"), "no JSON array"},
		"organizations: object":   {"/organization/list", say("{}"), "no JSON array"},
		"organizations: numbers":  {"/organization/list", say("[1]"), "no JSON object"},
		"organizations: no id":    {"/organization/list", say(strings.Replace(acme, `"id"`, `"ID"`, 1)), "organization.id"},
		"organizations: no slug":  {"/organization/list", say(strings.Replace(acme, `"slug":"acme",`, "", 1)), "organization.slug"},
		"organizations: too many": {"/organization/list", say("[" + huge + "]"), "256 KiB"},
		"members: 400":            {"/organization/list-members", answer(400, "application/json", `{"code":"NO_ACTIVE_ORGANIZATION"}`), "400"},
		"members: 403 of another": {"/organization/list-members", answer(403, "text/html", "YOU_ARE_NOT_A_MEMBER_OF_THIS_ORGANIZATION"), "403"},
		"members: null":           {"/organization/list-members", say("null"), "no JSON object"},
		"members: none":           {"/organization/list-members", say("{}"), "no JSON array"},
		"members: everybody":      {"/organization/list-members", say(strings.Replace(owner, `"u1"`, `"u2"`, 1)), "somebody else"},
		"members: elsewhere":      {"/organization/list-members", say(strings.Replace(owner, `"o1"`, `"o2"`, 1)), "somebody else"},
		"members: no role":        {"/organization/list-members", say(strings.Replace(owner, `"role"`, `"Role"`, 1)), "member.role"},
		"members: roles":          {"/organization/list-members", say(strings.Replace(owner, `"owner"`, `["owner"]`, 1)), "member.role"},
		"teams: 500":              {"/organization/list-user-teams", answer(500, "", ""), "500"},
		"teams: object":           {"/organization/list-user-teams", say("{}"), "no JSON array"},
		"teams: of nothing":       {"/organization/list-user-teams", say(`[{"id":"t1"}]`), "team.organizationId"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			s := f.open(t)
			if c.path == "" {
				c.path = "/get-session"
			}
			f.answers(c.path, c.says)
			unknown(t, s, token, c.want)
			if n := s.Stats().InUse; n != 0 {
				t.Errorf("%d calls are under way after it", n)
			}
		})
	}
}

// f302 is where a redirect leads that must not be followed: it would answer.
const f302 = "/api/auth/ok"

// echo sends back what it got, as headers.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 200 %s\r\nCookie %s\r\n\r\n", r.Header.Get("Cookie"), r.Header.Get("Cookie"))
}

// TestHarmlessAnswers: what is unusual, and still clear.
func TestHarmlessAnswers(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := f.open(t)
	f.answers("/get-session", say("\n"+members{
		"session": theSession().without("activeOrganizationId").without("impersonatedBy").with(members{"activeTeamId": "t1", "expiresAt": "2090-01-01T01:00:00+01:00"}),
		"user":    theUser().without("role").without("banned").without("emailVerified").with(members{"name": "", "Role": "admin", "BANNED": true}), "needsRefresh": true,
	}.String()+" \r\n"))
	got := resolve(t, s, token)
	if got.User.Roles != "" || got.User.Banned || got.Session.ActiveTeam != "t1" || !got.Session.ExpiresAt.Equal(time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("got %+v", got)
	}
	f.answers("/organization/list", say(acme[:len(acme)-1]+","+acme[1:len(acme)-1]+", null]")) // two rows of one member, and one of nothing
	f.answers("/organization/list-user-teams", say(`[null,{"id":"b","organizationId":"o1"},{"id":"a","organizationId":"o1"},{"id":"c","organizationId":"o2"}]`))
	if got := resolve(t, s, token).Memberships; len(got) != 1 || strings.Join(got[0].Teams, " ") != "a b" {
		t.Errorf("got %+v", got)
	}
	f.answers("/organization/list-members", answer(403, "application/json", `{"code":"YOU_ARE_NOT_A_MEMBER_OF_THIS_ORGANIZATION"}`))
	if got := resolve(t, s, token).Memberships; len(got) > 0 {
		t.Errorf("removed meanwhile: %+v", got)
	}
	// A database whose text columns ignore case has found somebody else's session: this token is nobody's.
	nobody(t, s, strings.ToUpper(token))
	nobody(t, s, token+" ")

	f.answers("/get-session", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "better-auth.session_token=; Max-Age=0, better-auth.session_data=; Max-Age=0")
		say(" null\n")(w, r)
	})
	nobody(t, s, token)
}

// TestSignedOutMeanwhile: the session ends between the calls of one lookup.
func TestSignedOutMeanwhile(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := f.open(t)
	f.answers("/organization/list", func(w http.ResponseWriter, r *http.Request) {
		f.answers("/get-session", clears)
		answer(401, "application/json", "")(w, r)
	})
	nobody(t, s, token)
}

// TestPluginGoes: it was there when the store was opened. Until somebody has looked, nobody knows.
func TestPluginGoes(t *testing.T) {
	t.Parallel()
	js := newFake(t)
	var gone, deployed atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if gone.Load() && strings.Contains(r.URL.Path, "/organization/") {
			w.WriteHeader(http.StatusNotFound)
			if !deployed.Load() {
				_, _ = io.WriteString(w, "404 page not found\n")
			}
			return
		}
		js.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	s := mustOpen(t, config(front.URL))
	if got := resolve(t, s, token).Memberships; len(got) != 1 {
		t.Fatalf("got %v", got)
	}
	gone.Store(true)
	unknown(t, s, token, "404")
	if err := s.Ping(t.Context()); err == nil {
		t.Error("a page says that there are no organizations any more")
	}
	unknown(t, s, token, "404")
	deployed.Store(true)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := resolve(t, s, token).Memberships; len(got) > 0 {
		t.Errorf("got %v", got)
	}
}

func TestSlowAnswers(t *testing.T) {
	t.Parallel()
	for name, slow := range map[string]func(w http.ResponseWriter, stop <-chan struct{}){
		"nothing comes": func(_ http.ResponseWriter, stop <-chan struct{}) { <-stop },
		"half of it comes": func(w http.ResponseWriter, stop <-chan struct{}) {
			say(`{"session":`)(w, nil)
			_ = http.NewResponseController(w).Flush()
			<-stop
		},
		"it drips": func(w http.ResponseWriter, stop <-chan struct{}) {
			say("")(w, nil)
			for {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
					_, _ = io.WriteString(w, " ")
					_ = http.NewResponseController(w).Flush()
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			stop := make(chan struct{})
			t.Cleanup(func() { close(stop) }) // before the fake is closed, which waits for it
			c := config(f.URL)
			c.Timeout, c.MaxInFlight = 200*time.Millisecond, 2
			s := mustOpen(t, c)
			f.answers("/get-session", func(w http.ResponseWriter, _ *http.Request) { slow(w, stop) })
			began := time.Now()
			for range 3 {
				unknown(t, s, token, "deadline exceeded")
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := s.Resolve(ctx, gate.Proven(gate.ByCookie, token)); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %v of 600 ms", took)
			}
		})
	}
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	c := config(f.URL)
	c.Timeout, c.MaxInFlight = 20*time.Second, 3
	s := mustOpen(t, c)
	var now, most atomic.Int64
	arrived, leave := make(chan struct{}, 64), make(chan struct{})
	f.answers("/get-session", func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		arrived <- struct{}{}
		<-leave
		say(members{"session": theSession(), "user": theUser()}.String())(w, r)
	})
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() { resolve(t, s, token) })
	}
	for range 3 {
		<-arrived
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.Resolve(ctx, gate.Proven(gate.ByCookie, token))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "3 calls are under way") {
		t.Errorf("one more: %v", err)
	}
	if got := s.Stats(); got.Max != 3 || got.InUse != 3 || got.Waits == 0 {
		t.Errorf("full: %+v", got)
	}
	close(leave)
	wg.Wait()
	if got := s.Stats(); most.Load() > 3 || got.InUse != 0 || got.Waits < 9 || got.Waited == 0 {
		t.Errorf("at most %d at once; %+v", most.Load(), got)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	var opened atomic.Int64
	front := httptest.NewUnstartedServer(f)
	front.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	front.Start()
	t.Cleanup(front.Close)
	s := mustOpen(t, config(front.URL))
	for range 20 {
		resolve(t, s, token)
	}
	f.answers("/get-session", answer(500, "application/json", `{"code":"X"}`))
	for range 20 {
		unknown(t, s, token, "500")
	}
	if n := opened.Load(); n > 4 {
		t.Errorf("%d connections were opened", n)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := f.open(t)
	resolve(t, s, token)
	entered, leave := make(chan struct{}), make(chan struct{})
	f.answers("/get-session", func(w http.ResponseWriter, r *http.Request) { close(entered); <-leave; clears(w, r) })
	var wg sync.WaitGroup
	wg.Go(func() { nobody(t, s, token) })
	<-entered
	wg.Go(s.Close)
	close(leave)
	wg.Wait()
	s.Close()
	unknown(t, s, token, "closed")
	if err := s.Ping(t.Context()); err == nil {
		t.Error("ping of a closed store")
	}
	if n := s.Stats().InUse; n != 0 {
		t.Errorf("%d calls are under way", n)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	front := httptest.NewUnstartedServer(newFake(t))
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	front.EnableHTTP2 = true
	front.StartTLS()
	t.Cleanup(front.Close)
	c := config(front.URL)
	if _, err := open(t, c); err == nil || !strings.Contains(err.Error(), "SSL_CERT_FILE") {
		t.Errorf("an unknown issuer: %v", err)
	}
	trusting := func(change func(*tls.Config)) *http.Transport {
		transport := front.Client().Transport.(*http.Transport).Clone()
		change(transport.TLSClientConfig)
		t.Cleanup(transport.CloseIdleConnections)
		return transport
	}
	c.Transport = trusting(func(c *tls.Config) { c.ServerName = "elsewhere.example" })
	if _, err := open(t, c); err == nil || !strings.Contains(err.Error(), "for another name") {
		t.Errorf("another name: %v", err)
	}
	c.Transport = trusting(func(c *tls.Config) { c.Time = func() time.Time { return time.Date(2390, 1, 1, 0, 0, 0, 0, time.UTC) } })
	if _, err := open(t, c); err == nil || !strings.Contains(err.Error(), "not valid now") {
		t.Errorf("out of date: %v", err)
	}
	c.Transport = trusting(func(*tls.Config) {})
	if got := resolve(t, mustOpen(t, c), token); got.User.ID != "u1" {
		t.Errorf("got %+v", got)
	}
	c = config(strings.Replace(front.URL, "https://", "http://", 1))
	if _, err := open(t, c); err == nil || !strings.Contains(err.Error(), "400") {
		t.Errorf("http:// to a port with TLS: %v", err)
	}
}
