package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/usherauth/usher/internal/testenv"
)

// cast are the people of the revocation tests. Ada owns the organizations and administers the installation; Bea is never
// touched, so nothing may ever change for her; the others are who it happens to.
type cast struct {
	auth                      *testenv.BetterAuthServer
	ada, bea                  *testenv.Person
	leo, mia, rolf, sven, ned *testenv.Person
	acme, beta                testenv.Org
}

func gather(t *testing.T, auth *testenv.BetterAuthServer) *cast {
	t.Helper()
	c := &cast{auth: auth}
	for name, p := range map[string]**testenv.Person{
		"Ada": &c.ada, "Bea": &c.bea, "Leo": &c.leo, "Mia": &c.mia, "Rolf": &c.rolf, "Sven": &c.sven, "Ned": &c.ned,
	} {
		*p = auth.SignUp(t, name, name+"@example.com")
	}
	auth.MakeAdmin(t, c.ada)
	c.acme = auth.CreateOrganization(t, c.ada, "Acme", "acme")
	c.beta = auth.CreateOrganization(t, c.ada, "Beta", "beta")
	for _, p := range []*testenv.Person{c.bea, c.rolf, c.sven} {
		auth.AddMember(t, c.acme, p, "member")
	}
	auth.AddMember(t, c.beta, c.sven, "member")
	return c
}

// post calls Better Auth and demands success.
func (c *cast) post(t *testing.T, p *testenv.Person, path string, body any) {
	t.Helper()
	if response := c.auth.Call(t, p, http.MethodPost, path, body); response.Status != http.StatusOK {
		t.Fatalf("Better Auth: %s: %d %s", path, response.Status, response.Body)
	}
}

// memberID finds the row that makes somebody a member.
func (c *cast) memberID(t *testing.T, org testenv.Org, p *testenv.Person) string {
	t.Helper()
	response := c.auth.Call(t, c.ada, http.MethodGet, "/organization/list-members?organizationId="+url.QueryEscape(org.ID), nil)
	var list struct{ Members []struct{ ID, UserID string } }
	if err := json.Unmarshal(response.Body, &list); err != nil || response.Status != http.StatusOK {
		t.Fatalf("Better Auth: list-members: %d %s (%v)", response.Status, response.Body, err)
	}
	for _, m := range list.Members {
		if m.UserID == p.UserID {
			return m.ID
		}
	}
	t.Fatalf("%s is no member: %s", p.Name, response.Body)
	return ""
}

// act is one thing that is done in Better Auth, again and again, and has to show at every gate.
type act struct {
	name    string
	prepare func(t *testing.T, c *cast, round int) step
}

// step is one time of it.
type step struct {
	q      question
	before func(answer) bool // what every gate says before
	do     func(t *testing.T)
	after  func(answer) bool // and after
	ends   bool              // for ever: the session is gone
}

// ends is a step that ends this session.
func ends(p *testenv.Person, do func(t *testing.T)) step {
	userID := p.UserID
	return step{
		q:      question{cookie: p.Cookie}, // a copy: the browser forgets it with the answer
		before: func(a answer) bool { return a.passes(userID) },
		do:     do, after: answer.refused, ends: true,
	}
}

// shows is a step that changes one of the headers which the backend is given for this session.
func shows(p *testenv.Person, q question, header, before, after string, do func(t *testing.T)) step {
	q.cookie = p.Cookie
	userID := p.UserID
	is := func(want string) func(answer) bool {
		return func(a answer) bool { return a.passes(userID) && a.header.Get(header) == want }
	}
	return step{q: q, before: is(before), do: do, after: is(after)}
}

// acts are all that contract section 6 calls a revocation and that Better Auth's own API can do.
var acts = []act{
	{"signs out", func(t *testing.T, c *cast, _ int) step {
		p := c.auth.SignIn(t, c.leo)
		return ends(p, func(t *testing.T) { c.auth.SignOut(t, p) })
	}},
	{"revokes one session", func(t *testing.T, c *cast, _ int) step {
		p := c.auth.SignIn(t, c.leo)
		return ends(p, func(t *testing.T) { c.post(t, c.leo, "/revoke-session", map[string]string{"token": p.Token}) })
	}},
	{"revokes the other sessions", func(t *testing.T, c *cast, _ int) step {
		p := c.auth.SignIn(t, c.leo)
		return ends(p, func(t *testing.T) { c.post(t, c.leo, "/revoke-other-sessions", map[string]string{}) })
	}},
	{"revokes all sessions", func(t *testing.T, c *cast, _ int) step {
		p := c.auth.SignIn(t, c.mia)
		by := *p
		return ends(p, func(t *testing.T) { c.post(t, &by, "/revoke-sessions", map[string]string{}) })
	}},
	{"is banned", func(t *testing.T, c *cast, round int) step {
		if round > 0 {
			c.post(t, c.ada, "/admin/unban-user", map[string]string{"userId": c.mia.UserID})
		}
		p := c.auth.SignIn(t, c.mia)
		return ends(p, func(t *testing.T) { c.auth.Ban(t, c.ada, c.mia, 0) })
	}},
	{"is deleted", func(t *testing.T, c *cast, round int) step {
		p := c.auth.SignUp(t, "Dora", fmt.Sprintf("dora-%d@example.com", round))
		return ends(p, func(t *testing.T) { c.post(t, c.ada, "/admin/remove-user", map[string]string{"userId": p.UserID}) })
	}},
	{"becomes a member", func(t *testing.T, c *cast, round int) step {
		if round > 0 {
			c.auth.RemoveMember(t, c.ada, c.acme, c.ned)
		}
		s := shows(c.ned, question{org: c.acme.ID}, "X-Org-Id", "", c.acme.ID, func(t *testing.T) { c.auth.AddMember(t, c.acme, c.ned, "member") })
		s.before = notMember
		return s
	}},
	{"is removed as a member", func(t *testing.T, c *cast, round int) step {
		if round > 0 {
			c.auth.AddMember(t, c.acme, c.ned, "member")
		}
		s := shows(c.ned, question{org: c.acme.ID}, "X-Org-Id", c.acme.ID, "", func(t *testing.T) { c.auth.RemoveMember(t, c.ada, c.acme, c.ned) })
		s.after = notMember
		return s
	}},
	{"gets another role", func(t *testing.T, c *cast, round int) step {
		before, after := "member", "admin"
		if round%2 == 1 {
			before, after = after, before
		}
		id := c.memberID(t, c.acme, c.rolf)
		return shows(c.rolf, question{org: c.acme.ID}, "X-Org-Role", before, after, func(t *testing.T) {
			c.post(t, c.ada, "/organization/update-member-role", map[string]string{"memberId": id, "role": after, "organizationId": c.acme.ID})
		})
	}},
	{"switches the organization", func(t *testing.T, c *cast, round int) step {
		before, after := c.acme, c.beta
		if round%2 == 1 {
			before, after = after, before
		}
		if round == 0 {
			c.auth.SetActive(t, c.sven, before)
		}
		return shows(c.sven, question{}, "X-Org-Id", before.ID, after.ID, func(t *testing.T) { c.auth.SetActive(t, c.sven, after) })
	}},
	{"changes the name", func(t *testing.T, c *cast, round int) step {
		name := func(n int) string { return fmt.Sprintf("Ned-%d", n) }
		if round == 0 {
			c.post(t, c.ned, "/update-user", map[string]string{"name": name(0)})
		}
		return shows(c.ned, question{}, "X-User-Name", name(round), name(round+1), func(t *testing.T) {
			c.post(t, c.ned, "/update-user", map[string]string{"name": name(round + 1)})
		})
	}},
	{"has the organization renamed", func(t *testing.T, c *cast, round int) step {
		rename := func(t *testing.T, n int) {
			c.post(t, c.ada, "/organization/update", map[string]any{"organizationId": c.beta.ID, "data": map[string]string{"name": fmt.Sprintf("Beta-%d", n)}})
		}
		if round == 0 {
			rename(t, 0)
		}
		return shows(c.sven, question{org: c.beta.ID}, "X-Org-Name", fmt.Sprintf("Beta-%d", round), fmt.Sprintf("Beta-%d", round+1), func(t *testing.T) { rename(t, round+1) })
	}},
	{"has the organization deleted", func(t *testing.T, c *cast, round int) step {
		org := c.auth.CreateOrganization(t, c.ada, "Gone", fmt.Sprintf("gone-%d", round))
		c.auth.AddMember(t, org, c.rolf, "member")
		s := shows(c.rolf, question{org: org.ID}, "X-Org-Id", org.ID, "", func(t *testing.T) {
			c.post(t, c.ada, "/organization/delete", map[string]string{"organizationId": org.ID})
		})
		s.after = notMember
		return s
	}},
}

func notMember(a answer) bool {
	return a.status == http.StatusForbidden && a.header.Get("X-Usher-Reason") == "NOT_A_MEMBER"
}
