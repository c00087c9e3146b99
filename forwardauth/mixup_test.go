package forwardauth_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/usherauth/usher/extauthz"
	"github.com/usherauth/usher/gate"
)

// crowd is a store of as many people as are asked for. Token p-N is person N's; whoever is asked for x-N panics.
type crowd struct{}

func (crowd) Resolve(_ context.Context, c gate.Credential) (*gate.Principal, error) {
	kind, number, _ := strings.Cut(c.Token(), "-")
	n, err := strconv.Atoi(number)
	if kind == "x" {
		panic("store " + number)
	}
	if kind != "p" || err != nil {
		return nil, gate.ErrNoSession
	}
	return person(n), nil
}

// Recall remembers every second one.
func (s crowd) Recall(c gate.Credential) *gate.Principal {
	if !strings.HasPrefix(c.Token(), "p-") || strings.ContainsAny(c.Token()[len(c.Token())-1:], "13579") {
		return nil
	}
	p, _ := s.Resolve(context.Background(), c)
	return p
}

// person has more or fewer headers than others, in plain and in other letters.
func person(n int) *gate.Principal {
	id := strconv.Itoa(n)
	p := &gate.Principal{
		Session: gate.Session{ID: "s-" + id, CreatedAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Hour)},
		User:    gate.User{ID: "u-" + id, EmailVerified: n%2 == 0},
		Plain:   n%4 == 0,
	}
	if n%3 != 0 {
		p.User.Email, p.User.Roles = "e-"+id+"@app.test", gate.Roles("r-"+id)
	}
	if n%4 != 0 {
		p.User.Name = "Zoë " + id
	}
	if n%5 != 0 {
		p.Memberships = []gate.Membership{{OrganizationID: "o-" + id, Slug: "slug-" + id, Roles: gate.Roles("or-" + id)}}
	}
	if n%7 == 0 {
		p.Session.ImpersonatedBy = "i-" + id
	}
	return p
}

// headersOf are the identity headers of person n, by lower-case name.
func headersOf(n int) map[string]string {
	id := strconv.Itoa(n)
	want := map[string]string{
		"x-user-id": "u-" + id, "x-session-id": "s-" + id, "x-user-email-verified": strconv.FormatBool(n%2 == 0), "x-auth-method": "cookie",
	}
	if n%3 != 0 {
		want["x-user-email"], want["x-user-role"] = "e-"+id+"@app.test", "r-"+id
	}
	if n%4 != 0 {
		want["x-user-name"] = url.PathEscape("Zoë " + id)
	}
	if n%5 != 0 {
		want["x-org-id"], want["x-org-slug"], want["x-org-role"] = "o-"+id, "slug-"+id, "or-"+id
	}
	if n%7 == 0 {
		want["x-impersonated-by"] = "i-" + id
	}
	return want
}

// visit is one request and what must come of it.
type visit struct {
	path    string
	headers [][2]string // of the client
	reason  string
	who     int      // whose headers an allow carries; -1: nobody's
	removed []string // what gRPC must remove: what the client sent and the answer does not set
}

// anyVisit is as different from the one before as can be, so that a leftover of that shows.
func anyVisit() visit {
	n := rand.IntN(10_000)
	id := strconv.Itoa(n)
	v := visit{path: "/private/" + id, who: -1, headers: [][2]string{{"cookie", "theme=dark; session=p-" + id}}, reason: "SIGNED_IN"}
	switch rand.IntN(10) {
	case 0:
		v.headers, v.reason = nil, "NO_CREDENTIAL"
	case 1:
		v.headers[0][1], v.reason = "session=forged-"+id, "BAD_COOKIE"
	case 2:
		v.headers[0][1], v.reason = "session=nobody-"+id, "SESSION_UNKNOWN"
	case 3:
		v.headers[0][1], v.reason = "session=x-"+id, "INTERNAL_ERROR"
	case 4:
		v.path, v.reason = "/observed/panic", "INTERNAL_ERROR"
	case 5:
		v.path, v.reason = "/public/"+id, "PUBLIC"
	case 6:
		v.headers = append(v.headers, [2]string{"x-org-id", "o-other"})
		v.reason = "NOT_A_MEMBER"
	default:
		v.who = n
	}
	set := map[string]string{}
	if v.who >= 0 {
		set = headersOf(n)
	}
	for _, name := range []string{"x-user-id", "x-user-name", "x-team-id", "x-impersonated-by"} {
		if rand.IntN(3) == 0 {
			v.headers = append(v.headers, [2]string{name, "evil-" + id})
			if _, ok := set[name]; !ok {
				v.removed = append(v.removed, name)
			}
		}
	}
	slices.Sort(v.removed)
	return v
}

// TestNobodyGetsTheAnswerOfAnother: the edges use the memory of a check again. Of thousands of checks of different people
// at once, with panics in between, each answer holds what its own request earned, and no word of any other.
func TestNobodyGetsTheAnswerOfAnother(t *testing.T) {
	w := newWorld(t, func(c *gate.Config) {
		c.Resolver, c.Timeout = crowd{}, time.Minute
		c.Observe = func(r *gate.Request, _ gate.Decision, _ time.Duration) {
			if r.Target == "/observed/panic" {
				panic("observer")
			}
		}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	rpc := grpc.NewServer(extauthz.ServerOptions()...)
	w.grpc.Register(rpc, nil)
	var serving sync.WaitGroup
	serving.Go(func() { _ = rpc.Serve(listener) })
	web := httptest.NewServer(w.http)
	defer func() { web.Close(); rpc.Stop(); serving.Wait() }()
	conn, err := grpc.NewClient("passthrough:///"+listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close()

	const workers, each = 8, 600
	var group sync.WaitGroup
	envoy := authv3.NewAuthorizationClient(conn)
	for range workers {
		group.Go(func() {
			for range each {
				v := anyVisit()
				response, err := envoy.Check(t.Context(), v.overGRPC())
				if err != nil {
					t.Error(err)
					return
				}
				v.compareGRPC(t, response)
			}
		})
		group.Go(func() {
			conn, r := connect(t, web.Listener.Addr().String())
			must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
			for range each {
				v := anyVisit()
				fmt.Fprintf(conn, "GET /gate/traefik HTTP/1.1\r\nHost: gate\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Proto: https\r\n"+
					"X-Forwarded-Host: app.test\r\nX-Forwarded-Uri: %s\r\n", v.path)
				for _, line := range v.headers {
					fmt.Fprintf(conn, "%s: %s\r\n", line[0], line[1])
				}
				fmt.Fprint(conn, "\r\n")
				if !v.compareHTTP(t, r) {
					return
				}
			}
		})
	}
	group.Wait()
}

func (v visit) overGRPC() *authv3.CheckRequest {
	list := &corev3.HeaderMap{}
	if v.who%2 == 0 { // as Envoy does with some versions of its API
		list.Headers = append(list.Headers, &corev3.HeaderValue{Key: ":path", RawValue: []byte(v.path)})
	}
	for _, line := range v.headers {
		list.Headers = append(list.Headers, &corev3.HeaderValue{Key: line[0], RawValue: []byte(line[1])})
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
		Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Path: v.path, Host: "app.test", Scheme: "https", HeaderMap: list},
	}}}
}

func (v visit) compareGRPC(t *testing.T, response *authv3.CheckResponse) {
	ok := response.GetOkResponse()
	if reason := response.GetDynamicMetadata().GetFields()["reason"].GetStringValue(); reason != v.reason {
		t.Errorf("%+v: %s", v, reason)
	}
	got := make(map[string]string)
	for _, option := range ok.GetHeaders() {
		got[strings.ToLower(option.GetHeader().GetKey())] = option.GetHeader().GetValue()
	}
	facts := response.GetDynamicMetadata().GetFields()
	if id := facts["user_id"].GetStringValue(); v.who >= 0 && id != "u-"+strconv.Itoa(v.who) || v.who < 0 && v.reason != "NOT_A_MEMBER" && id != "" {
		t.Errorf("%+v: metadata of %q", v, id)
	}
	v.compare(t, got)
	if allowed := v.reason == "SIGNED_IN" || v.reason == "PUBLIC"; allowed != (ok != nil) {
		t.Errorf("%+v: %v", v, response)
	} else if allowed && !slices.Equal(ok.GetHeadersToRemove(), v.removed) {
		t.Errorf("%+v: removes %v", v, ok.GetHeadersToRemove())
	}
}

func (v visit) compareHTTP(t *testing.T, r *bufio.Reader) bool {
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Error(err)
		return false
	}
	defer response.Body.Close()
	if reason := response.Header.Get("X-Usher-Reason"); reason != v.reason {
		t.Errorf("%+v: %s", v, reason)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Error(err)
		return false
	}
	got := make(map[string]string)
	for name, values := range response.Header {
		switch name {
		case "X-Usher-Reason", "Cache-Control", "Content-Type", "Content-Length", "Date", "Www-Authenticate", "Retry-After":
		default:
			got[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	v.compare(t, got)
	return true
}

func (v visit) compare(t *testing.T, got map[string]string) {
	want := map[string]string{}
	if v.who >= 0 {
		want = headersOf(v.who)
	}
	if !maps.Equal(got, want) {
		t.Errorf("%+v: headers %v, want %v", v, got, want)
	}
}
