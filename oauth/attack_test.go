package oauth_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/oauth/provider"
)

// Each test names the advisory whose class it covers (docs of peers, better-auth-oauth.md section 9).

// at once runs do n times together.
func atOnce(n int, do func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			do(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

// In Better Auth, parallel callbacks of one identity make several accounts, and nobody gets in any more.
func TestParallelCallbacksOfOneIdentityAreOnePerson(t *testing.T) {
	const n = 12
	for name, existing := range map[string]bool{"nobody is there yet": false, "a user is there, who is linked": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			want := 1
			if existing {
				w.browser().signIn(w.second, ann())
				want = 2 // accounts
			}
			sessions := w.count("session")
			browsers, paths := make([]*browser, n), make([]string, n)
			for i := range n {
				browsers[i] = w.browser()
				state := browsers[i].begin(`{"provider":"first","callbackURL":"/dash","newUserCallbackURL":"/dash"}`)
				paths[i] = "/api/auth/callback/first?state=" + state + "&code=" + w.first.issue(ann())
			}
			atOnce(n, func(i int) {
				if a := browsers[i].do("GET", paths[i], ""); a.Location != "/dash" {
					t.Errorf("%d: %s", i, a.Location)
				}
			})
			if u, a, s := w.count("user"), w.count("account"), w.count("session")-sessions; u != 1 || a != want || s != n {
				t.Errorf("%d users, %d accounts, %d sessions", u, a, s)
			}
			if a := w.browser().signIn(w.first, ann()); a.Location != "/dash" {
				t.Errorf("locked out: %s", a.Location)
			}
		})
	}
}

// CVE-2017-1000069, CVE-2026-32245 (GHSA-xg2q): one use of a state; Better Auth lets four of four at once through.
func TestACallbackAnsweredManyTimesIsExchangedOnce(t *testing.T) {
	for name, inCookie := range map[string]bool{"database": false, "cookie": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *oauth.Config) { c.State.InCookie = inCookie })
			b := w.browser()
			state := b.begin(`{"provider":"first","callbackURL":"/dash"}`)
			path := "/api/auth/callback/first?state=" + state + "&code=" + w.first.issue(ann())
			jar := map[string]string{}
			for k, v := range b.jar {
				jar[k] = v
			}
			var mu sync.Mutex
			got := map[string]int{}
			atOnce(8, func(int) {
				own := w.browser()
				for k, v := range jar {
					own.jar[k] = v
				}
				a := own.do("GET", path, "")
				mu.Lock()
				got[a.Location]++
				mu.Unlock()
			})
			if got["/dash"] != 1 || got[api+"/error?error=state_mismatch"] != 7 || w.first.exchanged() != 1 || w.count("session") != 1 {
				t.Errorf("%v, %d exchanges", got, w.first.exchanged())
			}
		})
	}
}

// GHSA-x445 (NextAuth), RFC 9700 section 4.4: one provider's code is not taken to another.
func TestMixUp(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	state := b.begin(`{"provider":"first","callbackURL":"/dash","errorCallbackURL":"/oops"}`)
	stolen := w.first.issue(ann())
	if a := b.do("GET", "/api/auth/callback/second?code="+stolen+"&state="+state, ""); a.Location != "/oops?error=state_mismatch" {
		t.Error(a.Location)
	}
	if w.second.exchanged() != 0 || w.count("verification") != 0 {
		t.Error("the code was shown to the other provider, or the state may be used again")
	}
	if a := b.do("GET", "/api/auth/callback/first?code="+stolen+"&state="+state, ""); a.Location != api+"/error?error=state_mismatch" {
		t.Error(a.Location)
	}
}

// CVE-2017-1000070, GHSA-wxw3-q3m9-c3jr: an attacker's callback does not sign the victim in as the attacker. Dex CVE-2022-39222
// (GHSA-vh7g): what one browser began, no other one finishes.
func TestLoginCSRF(t *testing.T) {
	w := newWorld(t)
	attacker, victim := w.browser(), w.browser()
	state := attacker.begin(`{"provider":"first","callbackURL":"/dash"}`)
	path := "/api/auth/callback/first?state=" + state + "&code=" + w.first.issue(ann())
	if a := victim.do("GET", path, ""); a.Location != api+"/error?error=state_mismatch" || len(a.Cookies) != 0 {
		t.Errorf("%+v", a)
	}
	victim.begin(`{"provider":"first"}`) // who is signing in himself just now
	if a := victim.do("GET", path, ""); a.Location != api+"/error?error=state_mismatch" || len(a.Cookies) != 0 {
		t.Errorf("%+v", a)
	}
	if w.first.exchanged() != 0 {
		t.Error("the code was exchanged")
	}
}

// Cookie tossing: a sibling domain sets a genuine state cookie of the attacker's beside the victim's. Better Auth takes the
// first, and the order is the attacker's choice.
func TestTossedStateCookies(t *testing.T) {
	w := newWorld(t)
	attacker, victim := w.browser(), w.browser()
	theirs := attacker.begin(`{"provider":"first","callbackURL":"/dash"}`)
	mine := victim.begin(`{"provider":"first","callbackURL":"/dash"}`)
	const name = "better-auth.state"
	line := func(values ...string) {
		victim.header["Cookie"] = []string{name + "=" + strings.Join(values, "; "+name+"=")}
	}
	code := w.first.issue(ann())
	for _, state := range []string{theirs, mine} {
		for _, order := range [][]string{{attacker.jar[name], victim.jar[name]}, {victim.jar[name], attacker.jar[name]}} {
			line(order...)
			if a := victim.do("GET", "/api/auth/callback/first?code="+code+"&state="+state, ""); a.Location != api+"/error?error=state_mismatch" {
				t.Error(a.Location)
			}
		}
	}
	if w.first.exchanged() != 0 {
		t.Error("the code was exchanged")
	}
	line("junk", victim.jar[name], mine+".AAAA") // what nobody signed does not stop anybody
	if a := victim.do("GET", "/api/auth/callback/first?code="+code+"&state="+mine, ""); a.Location != "/dash" {
		t.Error(a.Location)
	}
}

// GHSA-f24x-5g9q-753f: a session that was planted is not the one that is signed in; and nothing of it remains.
func TestFixation(t *testing.T) {
	w := newWorld(t)
	attacker := w.browser()
	mallory := provider.Identity{AccountID: "mallory", Email: "mallory@example.com", Name: "M", EmailVerified: true}
	attacker.signIn(w.first, mallory)
	victim := w.browser()
	planted := attacker.jar["better-auth.session_token"]
	victim.jar["better-auth.session_token"] = planted
	if a := victim.signIn(w.second, ann()); a.Location != "/dash" || victim.jar["better-auth.session_token"] == planted {
		t.Errorf("%+v", a)
	}
	if w.count("session") != 2 || w.row(`select count(distinct "userId") n from session`)["n"] != "2" {
		t.Error("the planted session became the victim's")
	}
	if u := w.row(`select "userId" from account where "accountId" = 'sub-ann'`); u["userId"] == w.row(`select id from user where name = 'M'`)["id"] {
		t.Error("the victim's account became the attacker's")
	}
}

// GHSA-g38m-r43w-p2q7 (CVE-2026-53516): whoever registers a victim's address first, without proving it, shares nothing.
func TestPreAccountTakeover(t *testing.T) {
	w := newWorld(t)
	unproved := ann()
	unproved.AccountID, unproved.EmailVerified = "attacker", false
	w.browser().signIn(w.first, unproved)
	if a := w.browser().signIn(w.second, ann()); a.Location != "/oops?error=account_not_linked" || w.count("account") != 1 {
		t.Error(a.Location)
	}
	// And the other way round: a provider that checks no addresses does not open an account.
	w = newWorld(t)
	w.browser().signIn(w.second, ann())
	if a := w.browser().signIn(w.first, unproved); a.Location != "/oops?error=account_not_linked" || w.count("account") != 1 {
		t.Error(a.Location)
	}
}

// GHSA-965c-763c-88jm: no other verification is a state, and no state another verification.
func TestOtherVerificationsAreNoStates(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	pair, _, _ := strings.Cut(w.cookies.SetSigned("state", "magic", 0), ";")
	b.jar["better-auth.state"] = strings.TrimPrefix(pair, "better-auth.state=")
	w.exec(`insert into verification (id, identifier, value, "expiresAt", "createdAt", "updatedAt") values ('v', 'magic', '{"callbackURL":"/","codeVerifier":"v","expiresAt":9795293299204}', '2026-11-25T03:10:00.000Z', '2026-11-25T03:00:00.000Z', '2026-11-25T03:00:00.000Z')`)
	if a := b.do("GET", "/api/auth/callback/first?code="+w.first.issue(ann())+"&state=magic", ""); a.Location != api+"/error?error=state_mismatch" || w.count("verification") != 1 {
		t.Error(a.Location)
	}
	// Nor is a state under the name that Better Auth gave it before 1.7.7.
	state := b.begin(`{"provider":"first","callbackURL":"/dash"}`)
	w.exec(`update verification set identifier = ? where identifier <> 'magic'`, state)
	if a := b.do("GET", "/api/auth/callback/first?code="+w.first.issue(ann())+"&state="+state, ""); a.Location != api+"/error?error=state_mismatch" {
		t.Error(a.Location)
	}
}

// CVE-2026-40574 (GHSA-c5c4), GHSA-7rqj: an address that is read in two ways proves nothing.
func TestAddressesThatAreReadInTwoWays(t *testing.T) {
	w := newWorld(t)
	w.browser().signIn(w.second, ann())
	evil := w.idp
	for _, email := range []string{"ann@evil@example.com", "ann＠example.com", "ANN@EXAMPLE.COM\u200b"} {
		person := struct{ email string }{email}
		alice := w.aliceWith(person.email)
		evil.Sit(alice)
		b := w.browser()
		a := b.do("POST", "/api/auth/sign-in/social", `{"provider":"acme","callbackURL":"/dash","errorCallbackURL":"/oops"}`)
		back, err := evil.Consent(a.Location)
		if err != nil {
			t.Fatal(err)
		}
		b.do("GET", back.String(), "")
	}
	if n := w.row(`select count(*) n from account a join user u on u.id = a."userId" where u.email = 'ann@example.com'`)["n"]; n != "1" {
		t.Errorf("%s accounts of the victim", n)
	}
}

// The Kelvin sign is a k in lower case. Whoever owns a mailbox with it is not the one whose address has the letter, be
// the provider trusted or not.
func TestTheKelvinSignIsNobodysK(t *testing.T) {
	for _, trusted := range [][]string{nil, {"acme"}} {
		w := newWorld(t, func(c *oauth.Config) { c.Accounts.TrustedProviders = trusted })
		mike := ann()
		mike.Email, mike.AccountID = "mike@example.com", "sub-mike"
		w.browser().signIn(w.second, mike)
		w.idp.Sit(w.aliceWith("mi\u212ae@example.com"))
		b := w.browser()
		back, err := w.idp.Consent(b.do("POST", "/api/auth/sign-in/social", `{"provider":"acme","callbackURL":"/dash","errorCallbackURL":"/oops"}`).Location)
		if err != nil {
			t.Fatal(err)
		}
		if a := b.do("GET", back.String(), ""); a.Location != "/oops?error=account_not_linked" || w.count("account") != 1 {
			t.Errorf("%s, %d accounts", a.Location, w.count("account"))
		}
	}
}

// One body of 64 KiB with thousands of parameters took a second of a processor: each is looked for among all others, as
// often as a URL is put together. Anybody may send it.
func TestParametersWithoutEnd(t *testing.T) {
	w := newWorld(t)
	body := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"p%d":""`, i)
		}
		return `{"provider":"acme","additionalParams":{` + strings.TrimPrefix(b.String(), ",") + `}}`
	}
	if a := w.browser().do("POST", "/api/auth/sign-in/social", body(64)); a.Code != 200 || !strings.Contains(a.Location, "&p63=") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	for _, n := range []int{65, 6000} {
		if a := w.browser().do("POST", "/api/auth/sign-in/social", body(n)); a.Code != 400 || !strings.Contains(a.Body, "VALIDATION_ERROR") || len(a.Body) > 1000 {
			t.Errorf("%d parameters: %d %s", n, a.Code, a.Body)
		}
	}
}

// GHSA-hjpm-7mrm-26w8, GHSA-36rg-gfq2-3h56, GHSA-8jhw-6pjj-8723, GHSA-vp58-j275-797x, CVE-2020-… of oauth2-proxy: whatever is
// asked for, nobody is led off our sites.
func TestOpenRedirects(t *testing.T) {
	w := newWorld(t)
	for _, evil := range []string{
		"//evil.com", `/\evil.com`, `\\evil.com`, "/\t/evil.com", "/\n/evil.com", "///evil.com", "/%2fevil.com", "/%5cevil.com", "/.//evil.com", "/..//evil.com",
		"https://evil.com", "https://app.example.com.evil.com", "https://app.example.com@evil.com", `https://app.example.com\@evil.com`, "https:evil.com",
		"https://app.example.com:444/", "http://app.example.com/", "javascript:alert(1)", "data:text/html,x", "https://evil.com/?https://app.example.com", "https://app.example.com\u3002evil.com",
	} {
		for field, code := range map[string]string{"callbackURL": "INVALID_CALLBACK_URL", "errorCallbackURL": "INVALID_ERROR_CALLBACK_URL", "newUserCallbackURL": "INVALID_NEW_USER_CALLBACK_URL"} {
			body := fmt.Sprintf(`{"provider":"first",%q:%q}`, field, evil)
			if a := w.browser().do("POST", "/api/auth/sign-in/social", body); a.Code != 403 || !strings.Contains(a.Body, code) {
				t.Errorf("%s %q: %d %s", field, evil, a.Code, a.Body)
			}
			if a := w.browser().do("GET", "/api/auth/signin/first?"+field+"="+strings.ReplaceAll(queryEscape(evil), "+", "%20"), ""); a.Code != 403 || a.Location != "" {
				t.Errorf("%s %q by link: %d %s", field, evil, a.Code, a.Location)
			}
		}
	}
	if n := w.count("verification"); n != 0 {
		t.Errorf("%d states were kept", n)
	}
}
