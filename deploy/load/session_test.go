//go:build linux

package load

import (
	"context"
	"crypto/md5" //nolint:gosec // PostgreSQL has it built in; these tokens are nobody's
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/internal/testenv"
)

// token is that of session i, from 1. The database computes the same.
func token(i int) string { return md5Of(fmt.Sprintf("session %d", i)) }

// userID is whose session i is, in the database and in Redis.
func userID(i int) string { return md5Of(fmt.Sprintf("user %d", i)) }

func md5Of(text string) string {
	sum := md5.Sum([]byte(text)) //nolint:gosec // see above
	return hex.EncodeToString(sum[:])
}

const cookieName = "better-auth.session_token"

// cookie is that of session i, with Better Auth's signature.
func cookie(i int) string { return cookieOf(token(i)) }

func cookieOf(token string) string {
	return cookieName + "=" + betterauth.Sign(testenv.TestSecret, token)
}

// forged has a signature of the same shape that nobody made.
func forged(i int) string {
	return cookieName + "=" + betterauth.Sign("not the secret, though as long as it", token(i))
}

// fill makes sessions from..to: a user each, in one of as many organizations as there are tens of users.
func fill(t testing.TB, url string, from, to int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	must(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(ctx, "set session_replication_role = replica") // no triggers: nobody has to hear of these
	must(t, err)
	for _, statement := range []string{
		`insert into organization (id, name, slug, "createdAt") select 'o' || i, 'Org ' || i, 'org-' || i, now()
			from generate_series($1::int / 10, $2::int / 10) i on conflict do nothing`,
		`insert into "user" (id, name, email, "emailVerified", "createdAt", "updatedAt", role)
			select md5('user ' || i), 'Ada Lovelace', 'ada.' || i || '@example.com', true, now(), now(), 'user' from generate_series($1::int, $2::int) i`,
		`insert into member (id, "organizationId", "userId", role, "createdAt")
			select md5('member ' || i), 'o' || (i / 10), md5('user ' || i), 'member', now() from generate_series($1::int, $2::int) i`,
		`insert into session (id, token, "userId", "activeOrganizationId", "expiresAt", "createdAt", "updatedAt")
			select md5('id ' || i), md5('session ' || i), md5('user ' || i), 'o' || (i / 10), now() + interval '7 days', now(), now()
			from generate_series($1::int, $2::int) i`,
	} {
		_, err := conn.Exec(ctx, statement, from, to)
		must(t, err)
	}
	_, err = conn.Exec(ctx, "analyze")
	must(t, err)
}

// loner is the token of session i of those who belong to no organization and have no role: of them the gate says eight
// headers, as the prototype of perf.md did, and not thirteen.
func loner(i int) string { return md5Of(fmt.Sprintf("loner %d", i)) }

// fillLoners makes sessions 1..n of theirs.
func fillLoners(t testing.TB, url string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	must(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(ctx, "set session_replication_role = replica")
	must(t, err)
	for _, statement := range []string{
		`insert into "user" (id, name, email, "emailVerified", "createdAt", "updatedAt")
			select md5('lone user ' || i), 'Ada Lovelace', 'lone.' || i || '@example.com', true, now(), now() from generate_series(1, $1::int) i`,
		`insert into session (id, token, "userId", "expiresAt", "createdAt", "updatedAt")
			select md5('lone id ' || i), md5('loner ' || i), md5('lone user ' || i), now() + interval '7 days', now(), now()
			from generate_series(1, $1::int) i`,
	} {
		_, err := conn.Exec(ctx, statement, n)
		must(t, err)
	}
	_, err = conn.Exec(ctx, "analyze")
	must(t, err)
}

// ordinary are the headers of a browser's request, about a kilobyte of them, beside the session's cookie.
var ordinary = [][2]string{
	{"user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"},
	{"accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
	{"accept-language", "en-GB,en;q=0.7,de;q=0.3"},
	{"accept-encoding", "gzip, deflate, br, zstd"},
	{"referer", "https://app.test/dashboard?tab=projects&sort=recent"},
	{"sec-fetch-dest", "document"},
	{"sec-fetch-mode", "navigate"},
	{"sec-fetch-site", "same-origin"},
	{"sec-ch-ua", `"Chromium";v="150", "Not=A?Brand";v="24"`},
	{"sec-ch-ua-mobile", "?0"},
	{"sec-ch-ua-platform", `"Linux"`},
	{"upgrade-insecure-requests", "1"},
	{"priority", "u=0, i"},
	{"dnt", "1"},
	{"cache-control", "no-cache"},
	{"x-request-id", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"},
	{"x-forwarded-for", "203.0.113.9"},
	{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
}

const otherCookies = "_ga=GA1.1.1337421942.1700000000; theme=dark; csrf=0e1b5c5a2f7d4f6c9a8b7e6d5c4b3a29; consent=a%2Cb%2Cc; " +
	"ph_phc_3fQ=%7B%22distinct_id%22%3A%22018f3a2b-7c4d-7e5f-8a9b-0c1d2e3f4a5b%22%2C%22%24sesid%22%3A%5B1732480000000%5D%7D; "

// overGRPC appends the CheckRequest that Envoy makes of a request with these cookies.
func overGRPC(b []byte, cookies string) []byte {
	const attributes, source, request, http, method, path, host, scheme, headers, entry = 1, 1, 4, 2, 2, 4, 5, 6, 13, 1
	text := func(b []byte, n protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
	}
	nest := func(b []byte, n protowire.Number, inner []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), inner)
	}
	line := func(b []byte, name, value string) []byte {
		return nest(b, entry, text(text(nil, 1, name), 3, value))
	}
	var list []byte
	for _, l := range [][2]string{{":method", "GET"}, {":path", "/dashboard/projects/42?tab=members"}, {":authority", "app.test"}, {":scheme", "https"}} {
		list = line(list, l[0], l[1])
	}
	for _, l := range ordinary {
		list = line(list, l[0], l[1])
	}
	list = line(list, "cookie", cookies)
	inner := text(text(text(text(nil, method, "GET"), path, "/dashboard/projects/42?tab=members"), host, "app.test"), scheme, "https")
	inner = nest(inner, headers, list)
	peer := nest(nil, 1, nest(nil, 1, text(nil, 2, "203.0.113.9")))
	return nest(b, attributes, nest(nest(nil, source, peer), request, nest(nil, http, inner)))
}

// overHTTP appends a sub-request of Traefik.
func overHTTP(b []byte, cookies string) []byte {
	b = append(b, "GET /gate/traefik HTTP/1.1\r\nHost: gate\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Proto: https\r\n"+
		"X-Forwarded-Host: app.test\r\nX-Forwarded-Uri: /dashboard/projects/42?tab=members\r\n"...)
	return finish(b, cookies)
}

// get appends a plain request for a target of a server.
func get(target string) func([]byte, string) []byte {
	return func(b []byte, cookies string) []byte {
		return finish(append(b, "GET "+target+" HTTP/1.1\r\nHost: app.test\r\n"...), cookies)
	}
}

func finish(b []byte, cookies string) []byte {
	for _, l := range ordinary {
		b = append(append(append(append(b, l[0]...), ": "...), l[1]...), "\r\n"...)
	}
	return append(append(append(b, "Cookie: "...), cookies...), "\r\n\r\n"...)
}

// visitors make questions of sessions 1 to n. Those of the ones who come most often are encoded once, so that the
// generator spends its time on the network.
type visitors struct {
	n       int
	write   func([]byte, string) []byte
	encoded [][]byte
	allowed bool
	token   func(int) string // of session i
}

func newVisitors(n int, write func([]byte, string) []byte) *visitors {
	return &visitors{n: n, write: write, encoded: make([][]byte, min(n, 20_000)+1), allowed: true, token: token}
}

func (v *visitors) fill(q *question, i int) {
	q.allowed = v.allowed
	if i < len(v.encoded) && v.encoded[i] != nil {
		q.message = v.encoded[i]
		return
	}
	cookies := otherCookies + cookieOf(v.token(i))
	if !v.allowed {
		cookies = otherCookies + forged(i)
	}
	q.message = v.write(nil, cookies)
	if i < len(v.encoded) {
		v.encoded[i] = q.message
	}
}

// zipf draws few of them often and most of them rarely: Zipf 1.1.
func (v *visitors) zipf() func(*question) {
	draw := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, uint64(v.n-1)) //nolint:gosec // the same draw for everybody
	return func(q *question) { v.fill(q, 1+int(draw.Uint64())) }
}

// inTurn asks for each once, and begins anew behind the last.
func (v *visitors) inTurn() func(*question) {
	i := 0
	return func(q *question) { v.fill(q, 1+i%v.n); i++ }
}

// always asks for session i.
func (v *visitors) always(i int) func(*question) {
	return func(q *question) { v.fill(q, i) }
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestQuestionsAreOfAKilobyte(t *testing.T) {
	size := 0
	for _, l := range ordinary {
		size += len(l[0]) + len(l[1])
	}
	if size += len("cookie" + otherCookies + cookie(1)); size < 900 || size > 1300 {
		t.Errorf("%d bytes of headers", size)
	}
	if !strings.Contains(string(overHTTP(nil, cookie(7))), cookie(7)) || cookie(1) == cookie(2) {
		t.Error("a question is not about its session")
	}
}
