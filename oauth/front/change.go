package front

import (
	"errors"
	"net/http"

	"github.com/usherauth/usher/oauth/page"
)

// change does what a form of the account page asks for, through the API, and leads back to the page.
func (f *Front) change(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		f.refuse(w, http.StatusBadRequest, "This form could not be read.")
		return
	}
	do, id := r.PostForm.Get("do"), r.PostForm.Get("id")
	a := f.api(w, r)
	var err error
	switch do {
	case "sign-out":
		f.signOut(w, r, a)
		return
	case "link":
		f.link(w, r, a, id)
		return
	case "revoke":
		err = revoke(a, id)
	case "revoke-others":
		err = a.post("/revoke-other-sessions", struct{}{}, nil)
	case "unlink":
		err = a.post("/unlink-account", map[string]string{"accountId": id}, nil)
	case "organization":
		err = a.post("/organization/set-active", map[string]string{"organizationId": id}, nil)
	default:
		f.refuse(w, http.StatusBadRequest, "This form asks for something that this page does not do.")
		return
	}
	f.answer(w, r, do, err)
}

// answer leads back to the page, which says what happened.
func (f *Front) answer(w http.ResponseWriter, r *http.Request, did string, err error) {
	var refused *refusal
	switch {
	case err == nil:
		seeOther(w, query(AccountPath, "done", did))
	case !errors.As(err, &refused) || refused.Status >= http.StatusInternalServerError || refused.Status == http.StatusTooManyRequests:
		f.broken(w, r, err)
	case refused.Status == http.StatusUnauthorized:
		seeOther(w, query(SignInPath, "callbackURL", AccountPath))
	default:
		seeOther(w, query(AccountPath, "error", page.CleanCode(refused.Code)))
	}
}

// revoke ends the session of an id: forms know no tokens.
func revoke(a *api, id string) error {
	var all []device
	if err := a.get("/list-sessions", &all); err != nil {
		return err
	}
	for _, s := range all {
		if s.ID == id {
			return a.post("/revoke-session", map[string]string{"token": s.Token}, nil)
		}
	}
	return nil // it is over already, which is what was wanted
}

// signOut ends this session, and the one at the provider where that can be ended too.
func (f *Front) signOut(w http.ResponseWriter, r *http.Request, a *api) {
	f.endTrail(w)
	var ended struct{ URL string }
	if err := a.post("/sign-out", struct{}{}, &ended); err != nil {
		f.broken(w, r, err)
		return
	}
	if ended.URL != "" {
		f.Pages.Onward(w, page.Onward{To: ended.URL, Name: "your provider, to sign out there too"})
		return
	}
	seeOther(w, SignInPath+"?signed-out")
}

// link leads to a provider, to come back with another account for the same person.
func (f *Front) link(w http.ResponseWriter, r *http.Request, a *api, provider string) {
	name := f.name(provider)
	if name == "" {
		f.refuse(w, http.StatusBadRequest, "There is no such provider.")
		return
	}
	var onward struct{ URL string }
	err := a.post("/link-social", map[string]any{
		"provider": provider, "callbackURL": f.Origin + query(AccountPath, "done", "link"),
		"errorCallbackURL": f.Origin + query(AccountPath, "provider", provider), "disableRedirect": true,
	}, &onward)
	if err != nil || onward.URL == "" {
		f.answer(w, r, "link", err)
		return
	}
	f.Pages.Onward(w, page.Onward{To: onward.URL, Name: name})
}
