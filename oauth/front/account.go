package front

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/usherauth/usher/oauth/page"
)

// Shapes of the API's answers, as far as the page shows them.
type (
	device struct {
		ID             string    `json:"id"`
		Token          string    `json:"token"`
		CreatedAt      time.Time `json:"createdAt"`
		UpdatedAt      time.Time `json:"updatedAt"`
		IPAddress      string    `json:"ipAddress"`
		UserAgent      string    `json:"userAgent"`
		ImpersonatedBy string    `json:"impersonatedBy"`
	}
	linked struct {
		ID         string    `json:"id"`
		ProviderID string    `json:"providerId"`
		CreatedAt  time.Time `json:"createdAt"`
	}
	organization struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Slug string `json:"slug"`
	}
)

// account shows somebody what the companion knows of them.
func (f *Front) account(w http.ResponseWriter, r *http.Request) {
	a := f.api(w, r)
	var me *who
	if err := a.get("/get-session", &me); err != nil {
		f.broken(w, r, err)
		return
	}
	if me == nil {
		seeOther(w, query(SignInPath, "callbackURL", AccountPath))
		return
	}
	v, err := f.view(a, me)
	if err != nil {
		f.broken(w, r, err)
		return
	}
	if code := r.URL.Query().Get("error"); code != "" {
		why := page.Explain(code, f.name(r.URL.Query().Get("provider")))
		v.Failed = &why
	}
	v.Done = done[r.URL.Query().Get("done")]
	f.Pages.Account(w, http.StatusOK, v)
}

// done are the words for what a form did. They come by the URL, so only these can be said.
var done = map[string]string{
	"revoke": "That device is signed out.", "revoke-others": "All other devices are signed out.",
	"unlink": "The account is unlinked.", "link": "The account is linked.", "organization": "The organization is switched.",
}

func (f *Front) view(a *api, me *who) (page.Account, error) {
	v := page.Account{
		Name: me.person(), Email: me.User.Email, EmailVerified: me.User.EmailVerified, Initials: page.Initials(me.person()),
		Since: day(me.User.CreatedAt), Action: AccountPath, Again: query(SignInPath, "error", "SESSION_NOT_FRESH", "callbackURL", AccountPath),
	}
	if err := f.organizations(a, me, &v); err != nil {
		return v, err
	}
	if err := f.sessions(a, me, &v); err != nil {
		return v, err
	}
	var accounts []linked
	if err := a.get("/list-accounts", &accounts); err != nil {
		return v, err
	}
	for _, one := range accounts {
		name := f.name(one.ProviderID)
		if one.ProviderID == "credential" {
			name = "Password"
		} else if name == "" {
			name = one.ProviderID
		}
		v.Accounts = append(v.Accounts, page.Linked{ID: one.ID, Provider: name, Since: day(one.CreatedAt), Last: len(accounts) == 1})
	}
	v.Linkable = f.linkable(accounts)
	return v, nil
}

// linkable are the providers, those first that are no way in yet.
func (f *Front) linkable(accounts []linked) []page.Provider {
	var fresh, more []page.Provider
	for _, p := range f.Providers {
		if slices.ContainsFunc(accounts, func(one linked) bool { return one.ProviderID == p.ID }) {
			more = append(more, page.Provider{ID: p.ID, Name: "another " + p.Name + " account"})
			continue
		}
		fresh = append(fresh, page.Provider{ID: p.ID, Name: p.Name})
	}
	return append(fresh, more...)
}

// mostRoles is for how many organizations the role is asked: each takes a question of its own.
const mostRoles = 20

func (f *Front) organizations(a *api, me *who, v *page.Account) error {
	var all []organization
	if err := a.get("/organization/list", &all); err != nil {
		if refused := (*refusal)(nil); errors.As(err, &refused) && refused.Status == http.StatusNotFound {
			return nil // this application has none
		}
		return err
	}
	v.ShowOrgs = true
	for i, o := range all {
		var member struct{ Role string }
		if i < mostRoles {
			if err := a.get(query("/organization/get-active-member-role", "organizationId", o.ID), &member); err != nil {
				continue // he left meanwhile
			}
		}
		v.Organizations = append(v.Organizations, page.Organization{
			ID: o.ID, Name: o.Name, Slug: o.Slug, Role: member.Role, Active: o.ID == me.Session.ActiveOrganizationID,
		})
	}
	return nil
}

func (f *Front) sessions(a *api, me *who, v *page.Account) error {
	var all []device
	if err := a.get("/list-sessions", &all); err != nil {
		if refused := (*refusal)(nil); errors.As(err, &refused) && refused.Code == "SESSION_NOT_FRESH" {
			v.Stale = true
			return nil
		}
		return err
	}
	for _, s := range all {
		v.Sessions = append(v.Sessions, page.Session{
			Handle: s.ID, Device: page.Device(s.UserAgent), Address: s.IPAddress, Started: moment(s.CreatedAt), Seen: moment(s.UpdatedAt),
			This: s.ID == me.Session.ID, Acting: s.ImpersonatedBy != "",
		})
	}
	return nil
}

func day(t time.Time) string    { return t.UTC().Format("2 January 2006") }
func moment(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }
