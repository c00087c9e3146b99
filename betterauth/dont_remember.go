package betterauth

import "github.com/usherauth/usher/gate"

// DontRememberName is the whole name of the cookie of those who signed in with rememberMe: false. It follows the rules of
// CookieName; custom is advanced.cookies.dont_remember.name.
func DontRememberName(prefix, custom string, secure bool) string {
	return cookieName("dont_remember", prefix, custom, secure)
}

// DontRemember reports whether the request carries the genuine cookie of somebody who does not want to be remembered. The
// library signs the word true, and looks at no more than the signature of the first; here any of the name counts, since
// a session that is left alone harms nobody.
func (rd *Reader) DontRemember(r *gate.Request) bool {
	if rd.dontRemember == "" {
		return false
	}
	p := rd.provers.Get().(*prover)
	defer rd.provers.Put(p)
	found, _ := p.tryCookies(r.Cookies, rd.dontRemember)
	return found.Len() > 0
}
