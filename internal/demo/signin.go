package demo

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/usherauth/usher/oauth/flow"
)

// front is what listens where the browser looks: the sign-in page, and the proxy for all else. It is no ServeMux,
// because that would tidy up paths before the gate could judge them.
type front struct {
	signIn *signIn
	proxy  *proxy
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/sign-in" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		f.signIn.show(w, r)
	case r.URL.Path == "/sign-in" && r.Method == http.MethodPost:
		f.signIn.guarded(f.signIn.in).ServeHTTP(w, r)
	case r.URL.Path == "/sign-out" && r.Method == http.MethodPost:
		f.signIn.guarded(f.signIn.out).ServeHTTP(w, r)
	default:
		f.proxy.ServeHTTP(w, r)
	}
}

// signIn is the demo's stand-in for Better Auth: it makes the same rows and the same cookie, and asks for no password.
type signIn struct {
	people   []person
	sessions *sessions
	origin   string
}

// cookieAttributes are Better Auth's, where the base URL is http.
const cookieAttributes = "; Path=/; HttpOnly; SameSite=Lax"

// maxForm is more than any of our own forms sends.
const maxForm = 64 << 10

// guarded refuses forms that another site's page sends.
func (s *signIn) guarded(h http.HandlerFunc) http.Handler {
	return http.NewCrossOriginProtection().Handler(http.MaxBytesHandler(h, maxForm))
}

func (s *signIn) show(w http.ResponseWriter, r *http.Request) {
	v := signInView{People: s.people, Back: returnTo(r.URL.Query().Get("callbackURL"), s.origin)}
	if r.URL.Query().Has("callbackURL") {
		v.Asked = strings.TrimPrefix(v.Back, s.origin)
	}
	render(w, signInPage(), http.StatusOK, v)
}

func (s *signIn) in(w http.ResponseWriter, r *http.Request) {
	for i := range s.people {
		if s.people[i].Key != r.PostFormValue("person") {
			continue
		}
		session, err := s.sessions.issue(r.Context(), &s.people[i], r.UserAgent())
		if err != nil {
			http.Error(w, "No session could be made; look at the terminal the demo runs in.", http.StatusInternalServerError)
			return
		}
		w.Header().Add("Set-Cookie", session.cookie+"; Max-Age="+strconv.Itoa(int(lifetime.Seconds()))+cookieAttributes)
		seeOther(w, returnTo(r.PostFormValue("callbackURL"), s.origin))
		return
	}
	http.Error(w, "Nobody of that name lives here.", http.StatusBadRequest)
}

func (s *signIn) out(w http.ResponseWriter, r *http.Request) {
	if err := s.sessions.revoke(r.Context(), r.Header["Cookie"]); err != nil {
		http.Error(w, "The session could not be removed; look at the terminal the demo runs in.", http.StatusInternalServerError)
		return
	}
	w.Header().Add("Set-Cookie", cookieName+"=; Max-Age=0"+cookieAttributes)
	seeOther(w, "/sign-in")
}

// seeOther is http.Redirect without its tidying of the path.
func seeOther(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}

// returnTo is where a sign-in leads: raw, if it stays on our origin, else "/". A link to a sign-in page that leads to
// somebody else's look-alike afterwards is how passwords are fished.
func returnTo(raw, origin string) string {
	back, err := flow.ParseReturnURL(raw, origin)
	if err != nil {
		return "/"
	}
	return back.String()
}
