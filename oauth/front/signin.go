package front

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/usherauth/usher/oauth/page"
)

// signIn shows the ways to sign in. Whoever is signed in is led on at once, except in circles: then the page says why.
func (f *Front) signIn(w http.ResponseWriter, r *http.Request) {
	back, asked := f.back(r)
	var me *who
	if err := f.api(w, r).get("/get-session", &me); err != nil {
		f.broken(w, r, err)
		return
	}
	v := page.SignIn{Back: f.spoken(back, asked)}
	circles := false
	if asked {
		next := ""
		if next, circles = page.Visit(trail(r), back, f.Now()); !f.signedOut(r) {
			f.leaveTrail(w, next)
		}
	}
	code := r.URL.Query().Get("error")
	switch {
	case code != "":
		why := page.Explain(code, f.name(r.URL.Query().Get("provider")))
		v.Why = &why
	case circles:
		v.Why = page.Circles(me != nil, f.Secure, f.https(r))
	case me != nil && asked:
		seeOther(w, back)
		return
	}
	if me != nil {
		v.Person = me.person()
		if asked {
			v.Continue = back
		}
	}
	v.Done = f.signedOut(r) && me == nil
	for _, p := range f.Providers {
		v.Providers = append(v.Providers, page.Provider{ID: p.ID, Name: p.Name, Href: f.begin(p.ID, back, asked)})
	}
	f.Pages.SignIn(w, http.StatusOK, v)
}

// begin leads to a provider. What goes wrong there is explained on this page, which still knows where to return to.
func (f *Front) begin(id, back string, asked bool) string {
	failed := []string{"provider", id}
	if asked {
		failed = append(failed, "callbackURL", back)
	}
	// Absolute: a relative URL may not hold every character that one of ours can.
	return query(f.BasePath+"/signin/"+url.PathEscape(id), "callbackURL", back, "errorCallbackURL", f.Origin+query(SignInPath, failed...))
}

// back is where somebody goes after signing in: what the gate or a link asked for, if it is ours to lead to.
func (f *Front) back(r *http.Request) (to string, asked bool) {
	to = r.URL.Query().Get("callbackURL")
	if to == "" || !f.Trusts(to) {
		return AccountPath, false
	}
	return to, true
}

// spoken is a return URL for people: without our own origin, and without the query, which may hold anything.
func (f *Front) spoken(back string, asked bool) string {
	if !asked {
		return ""
	}
	rest, ours := strings.CutPrefix(back, f.Origin)
	if ours && rest != "" && !strings.ContainsAny(rest[:1], "/?#") {
		rest = back // https://app.example.community begins with ours, too
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, _, _ = strings.Cut(rest, "?")
	const most = 120
	if runes := []rune(rest); len(runes) > most {
		rest = string(runes[:most]) + "…"
	}
	if rest == "" {
		return "/"
	}
	return rest
}

// name is a provider's, by its id; nothing where there is none of that id.
func (f *Front) name(id string) string {
	for _, p := range f.Providers {
		if p.ID == id {
			return p.Name
		}
	}
	return ""
}

// https reports whether the browser says that it came by https: behind a proxy, only the browser knows for sure.
func (f *Front) https(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// signedOut reports whether somebody just signed out by themselves: that is no circle.
func (f *Front) signedOut(r *http.Request) bool { return r.URL.Query().Has("signed-out") }

func trail(r *http.Request) string {
	if c, err := r.Cookie(page.TrailCookie); err == nil && len(c.Value) <= 64 {
		return c.Value
	}
	return ""
}

func (f *Front) leaveTrail(w http.ResponseWriter, value string) {
	f.setTrail(w, value, int(page.TrailLifetime/time.Second))
}

// endTrail forgets it: whoever signs out may sign in again for the same page.
func (f *Front) endTrail(w http.ResponseWriter) { f.setTrail(w, "", -1) }

func (f *Front) setTrail(w http.ResponseWriter, value string, maxAge int) {
	c := http.Cookie{
		Name: page.TrailCookie, Value: value, Path: SignInPath, MaxAge: maxAge, HttpOnly: true,
		Secure: f.Secure, SameSite: http.SameSiteLaxMode,
	}
	w.Header().Add("Set-Cookie", c.String())
}
