package page

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// TrailCookie remembers, in the browser alone, how often somebody was sent to the sign-in page for one and the same page.
// It is not signed: whoever writes their own sees an explanation that does not concern them, and nothing else.
const TrailCookie = "usher.sign_in"

const (
	// TrailLifetime is within what time visits count together: nobody signs in twice for one page in two minutes, unless
	// they are being sent around.
	TrailLifetime = 2 * time.Minute

	// loop is how many visits are one: the first is ordinary, the second may be somebody who pressed "back".
	loop = 3

	mostCounted = 99
)

// Visit counts a visit for the page that back leads to, and says what the cookie holds from now on and whether somebody
// goes around in circles.
func Visit(cookie, back string, now time.Time) (next string, circles bool) {
	sum := sha256.Sum256([]byte(back))
	to, count, since := hex.EncodeToString(sum[:4]), 1, now.Unix()
	if parts := strings.Split(cookie, "."); len(parts) == 3 && parts[0] == to {
		n, errN := strconv.Atoi(parts[1])
		at, errAt := strconv.ParseInt(parts[2], 10, 64)
		age := now.Sub(time.Unix(at, 0))
		if errN == nil && errAt == nil && n > 0 && n <= mostCounted && age >= 0 && age < TrailLifetime {
			count, since = min(n+1, mostCounted), at
		}
	}
	return fmt.Sprintf("%s.%d.%d", to, count, since), count >= loop
}

// Circles explains a sign-in loop to the person in it, and to the operator they will ask. signedIn says whether their
// session is good here; secure, whether our cookies need https; https, whether this page came by it.
func Circles(signedIn, secure, https bool) *Explanation {
	e := &Explanation{Title: "You were sent back here", Code: "SIGN_IN_LOOP"}
	switch {
	case secure && !https:
		e.Text = "You sign in, but your browser does not keep it: this page came without https, and our cookies need it."
		e.Hints = []string{"Open this site with https:// in front.", "If you run it: let the proxy serve https, or set better_auth.url to the http:// address people use."}
	case signedIn:
		e.Text = "You are signed in here, but the page you asked for does not see it."
		e.Hints = []string{
			"Open the page by the address that this site has in your browser's bar: cookies do not cross from one site to another.",
			"If you run it: the gate in front of that page needs the same secret, cookie prefix and database as this page, and the host needs to share its cookies (better_auth.cross_sub_domain_cookies). `usher explain -url … -cookie …` says which.",
		}
	default:
		e.Text = "You were sent to this page several times within two minutes, and are still not signed in."
		e.Hints = []string{
			"Allow cookies for this site, and leave private or built-in browser windows.",
			"Check the clock of your device.",
			"If you run it: look at the log for the refused sign-in, and whether the proxy hands on Set-Cookie.",
		}
	}
	return e
}
