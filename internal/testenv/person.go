package testenv

import (
	"net/http"
	"testing"
	"time"
)

// Person is somebody with an account, and one browser.
type Person struct {
	UserID, Name, Email, Password string

	Cookie string // the browser's whole Cookie header; "" when signed out
	Token  string // the session's, as in the database
	Bearer string // the same with its signature, as Better Auth hands it to API clients
}

// Org is an organization.
type Org struct{ ID, Slug string }

// Session is Better Auth's own answer to /get-session, field by field.
type Session struct {
	Session map[string]any `json:"session"`
	User    map[string]any `json:"user"`
}

// SignUp makes an account, and signs its owner in.
func (s *BetterAuthServer) SignUp(t testing.TB, name, email string) *Person {
	t.Helper()
	p := &Person{Name: name, Email: email, Password: "password of " + email}
	s.enter(t, p, "/sign-up/email", map[string]string{"name": name, "email": email, "password": p.Password})
	return p
}

// SignIn signs a person in once more, as from a new browser: the older session lives on.
func (s *BetterAuthServer) SignIn(t testing.TB, p *Person) *Person {
	t.Helper()
	again := &Person{Name: p.Name, Email: p.Email, Password: p.Password}
	s.enter(t, again, "/sign-in/email", map[string]string{"email": p.Email, "password": p.Password})
	return again
}

func (s *BetterAuthServer) enter(t testing.TB, p *Person, path string, body any) {
	t.Helper()
	var answer struct {
		Token string
		User  struct{ ID string }
	}
	s.must(t, p, http.MethodPost, path, body, &answer)
	p.Token, p.UserID = answer.Token, answer.User.ID
}

// SignOut ends the session of this browser. The person keeps Token and Bearer, to show that they are worthless now.
func (s *BetterAuthServer) SignOut(t testing.TB, p *Person) {
	t.Helper()
	s.must(t, p, http.MethodPost, "/sign-out", map[string]string{}, nil)
}

// GetSession returns nil when Better Auth does not know the person.
func (s *BetterAuthServer) GetSession(t testing.TB, p *Person) *Session {
	t.Helper()
	var session *Session
	s.must(t, p, http.MethodGet, "/get-session", nil, &session)
	return session
}

// CreateOrganization makes an organization that the person owns. It becomes their active one.
func (s *BetterAuthServer) CreateOrganization(t testing.TB, p *Person, name, slug string) Org {
	t.Helper()
	var org Org
	s.must(t, p, http.MethodPost, "/organization/create", map[string]string{"name": name, "slug": slug}, &org)
	return org
}

// AddMember makes somebody a member, without invitation; their active organization stays as it is.
// Several roles are separated by commas.
func (s *BetterAuthServer) AddMember(t testing.TB, org Org, p *Person, role string) {
	t.Helper()
	s.server(t, "/rig/call", map[string]any{"name": "addMember", "arguments": map[string]any{
		"body": map[string]any{"organizationId": org.ID, "userId": p.UserID, "role": role},
	}})
}

// RemoveMember removes somebody; the sessions of that person still name the organization as active afterwards.
func (s *BetterAuthServer) RemoveMember(t testing.TB, owner *Person, org Org, p *Person) {
	t.Helper()
	s.must(t, owner, http.MethodPost, "/organization/remove-member",
		map[string]string{"organizationId": org.ID, "memberIdOrEmail": p.Email}, nil)
}

// SetActive makes an organization the session's active one; the zero Org leaves none active.
func (s *BetterAuthServer) SetActive(t testing.TB, p *Person, org Org) {
	t.Helper()
	body := map[string]any{"organizationId": nil}
	if org.ID != "" {
		body["organizationId"] = org.ID
	}
	s.must(t, p, http.MethodPost, "/organization/set-active", body, nil)
}

// CreateTeam makes a team in an organization and returns its id.
func (s *BetterAuthServer) CreateTeam(t testing.TB, owner *Person, org Org, name string) string {
	t.Helper()
	var team struct{ ID string }
	s.must(t, owner, http.MethodPost, "/organization/create-team",
		map[string]string{"organizationId": org.ID, "name": name}, &team)
	return team.ID
}

// AddTeamMember puts a member of the owner's active organization into one of its teams.
func (s *BetterAuthServer) AddTeamMember(t testing.TB, owner *Person, teamID string, p *Person) {
	t.Helper()
	s.must(t, owner, http.MethodPost, "/organization/add-team-member",
		map[string]string{"teamId": teamID, "userId": p.UserID}, nil)
}

// MakeAdmin makes a person an administrator of the whole installation.
func (s *BetterAuthServer) MakeAdmin(t testing.TB, p *Person) {
	t.Helper()
	s.server(t, "/rig/role", map[string]string{"userId": p.UserID, "role": "admin"})
}

// Ban bans a person, for a while or, with 0, for good, and so ends their sessions.
func (s *BetterAuthServer) Ban(t testing.TB, admin, p *Person, d time.Duration) {
	t.Helper()
	body := map[string]any{"userId": p.UserID, "banReason": "banned by a test"}
	if d > 0 {
		body["banExpiresIn"] = int(d / time.Second)
	}
	s.must(t, admin, http.MethodPost, "/admin/ban-user", body, nil)
}
