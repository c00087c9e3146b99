package systema

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

func TestFastAPIAsItsPageSays(t *testing.T) {
	t.Parallel()
	s := walk(t)
	token, err := os.ReadFile(filepath.Join(s.Dir, "agent-worker.token"))
	if err != nil {
		t.Fatal(err)
	}
	worker := bearer(strings.TrimSpace(string(token)))
	as := func(p *testenv.Person) string { return "X-User-Id: " + p.UserID }
	rowOf := func(p *testenv.Person) string {
		t.Helper()
		return s.value(t, "select id::text from users where auth_id = $1", p.UserID)
	}

	t.Run("however many ask first, there is one row each", func(t *testing.T) { s.firstSight(t) })
	t.Run("whoever is seen first, the owner's row is made too", func(t *testing.T) {
		cleo, dan := s.auth.SignUp(t, "Cleo", "cleo@example.com"), s.auth.SignUp(t, "Dan", "dan@example.com")
		org := s.auth.CreateOrganization(t, cleo, "Cleo's", "cleos")
		s.auth.AddMember(t, org, dan, "member")
		get(t, s.proxies["Envoy"], "/me", bearer(dan.Token)).is(t, dan, "cleos")
		if owner := s.value(t, "select owner_user_id::text from organizations where auth_org_id = $1", org.ID); owner != rowOf(cleo) {
			t.Errorf("the owner is %s, want Cleo's %s", owner, rowOf(cleo))
		}
		get(t, s.proxies["Traefik"], "/me", bearer(cleo.Token)).is(t, cleo, "cleos")
	})

	beta := s.auth.CreateOrganization(t, s.ada, "Beta", "beta") // which becomes the active one
	bobs := s.auth.CreateOrganization(t, s.bob, "Bob's", "bobs")
	s.each(t, func(t *testing.T, me func(...string) answer) {
		s.within(t, time.Second, func() bool {
			a := me(bearer(s.ada.Token))
			return a.Organization != nil && a.Organization.Slug == "beta"
		})
		s.within(t, time.Second, func() bool {
			a := me(bearer(s.bob.Token))
			return a.Organization != nil && a.Organization.Slug == "bobs"
		})
		own := func(org testenv.Org) string {
			return s.value(t, "select id::text from organizations where auth_org_id = $1", org.ID)
		}
		for _, wish := range []string{s.acme.ID, "acme", own(s.acme)} {
			me(bearer(s.ada.Token), "X-Org-Id: "+wish).is(t, s.ada, "acme")
			me(worker, as(s.ada), "X-Org-Id: "+wish).is(t, s.ada, "acme")
		}
		me(bearer(s.ada.Token), "X-Org-Id: "+own(beta)).is(t, s.ada, "beta")
		for _, wish := range []string{bobs.ID, "bobs", own(bobs), "nowhere"} {
			me(bearer(s.ada.Token), "X-Org-Id: "+wish).refused(t, http.StatusForbidden, "NOT_A_MEMBER")
			me(worker, as(s.ada), "X-Org-Id: "+wish).refused(t, http.StatusForbidden, "NOT_A_MEMBER")
		}

		for _, claim := range []string{as(s.bob), "X-User-Id: " + rowOf(s.bob)} {
			me(bearer(s.ada.Token), claim, "X-Auth-User-Id: "+s.bob.UserID, "X-Internal-Caller: agent-worker").is(t, s.ada, "beta")
			me(claim, "X-Internal-Caller: agent-worker").refused(t, http.StatusUnauthorized, "NO_CREDENTIAL")
			me(claim, worker+"x").refused(t, http.StatusUnauthorized, "UNKNOWN_CALLER")
		}
		me(worker, as(s.bob)).is(t, s.bob, "bobs")
		me(worker).refused(t, http.StatusForbidden, "USER_REQUIRED")
		me(worker, "X-User-Id: "+rowOf(s.bob)).refused(t, http.StatusForbidden, "USER_UNKNOWN") // it is Better Auth's id that counts
	})

	t.Run("what the API was told", func(t *testing.T) {
		ours := map[string]bool{"": true} // of public paths
		for _, p := range strings.Split(s.value(t, "select string_agg(id::text, ',') from users"), ",") {
			ours[p] = true
		}
		named := 0
		for _, h := range s.tap.all() {
			if got := h.Values("X-User-Id"); len(got) > 1 || !ours[h.Get("X-User-Id")] {
				t.Errorf("X-User-Id: %q", got)
			}
			if caller := h.Get("X-Internal-Caller"); caller != "" {
				named++
				if caller != "agent-worker" || h.Get("X-Auth-Method") != "internal" || len(h.Values("Authorization")) > 0 {
					t.Errorf("X-Internal-Caller %q, X-Auth-Method %q, Authorization %d", caller, h.Get("X-Auth-Method"), len(h.Values("Authorization")))
				}
			}
			for name, values := range h {
				if strings.Contains(strings.Join(values, " "), "ushi_") {
					t.Errorf("%s carries the worker's token", name)
				}
			}
		}
		if named < 9 {
			t.Errorf("the worker came through only %d times", named)
		}
	})

	t.Run("signing out ends it within a second", func(t *testing.T) {
		bob := bearer(s.bob.Token)
		get(t, s.proxies["Envoy"], "/me", bob).is(t, s.bob, "bobs")
		get(t, s.proxies["Traefik"], "/me", bob).is(t, s.bob, "bobs")
		s.auth.SignOut(t, s.bob)
		for _, address := range s.proxies {
			s.within(t, time.Second, func() bool { return get(t, address, "/me", bob).reason == "SESSION_UNKNOWN" })
		}
		get(t, s.proxies["Envoy"], "/me", worker, as(s.bob)).is(t, s.bob, "bobs") // for whom the worker still works
	})

	t.Run("the API is reached through the proxy alone", func(t *testing.T) {
		elsewhere := func(address string) error { // as from outside: another address of this machine
			connection, err := net.Dial("tcp", strings.Replace(address, "127.0.0.1", "127.0.0.2", 1))
			if err == nil {
				connection.Close()
			}
			return err
		}
		if elsewhere(s.api) == nil {
			t.Error("the API answers everybody")
		}
		if err := elsewhere(s.old); err != nil {
			t.Errorf("and this test proves nothing, for neither does the old one: %v", err)
		}
	})
}

// firstSight is a person with an organization whom nobody has seen, met by many requests at once on both ways.
func (s *system) firstSight(t *testing.T) {
	t.Helper()
	const many = 20
	for _, name := range []string{"eve", "fay", "gus"} {
		p := s.auth.SignUp(t, name, name+"@example.com")
		org := s.auth.CreateOrganization(t, p, name+"'s", name)
		var (
			begin   = make(chan struct{})
			asking  sync.WaitGroup
			mu      sync.Mutex
			answers []answer
		)
		for _, address := range s.proxies {
			for range many {
				asking.Go(func() {
					<-begin
					a := get(t, address, "/me", bearer(p.Token))
					mu.Lock()
					answers = append(answers, a)
					mu.Unlock()
				})
			}
		}
		close(begin)
		asking.Wait()
		user := s.value(t, "select string_agg(id::text, ' ') from users where auth_id = $1", p.UserID)
		made := s.value(t, "select string_agg(id::text, ' ') from organizations where auth_org_id = $1", org.ID)
		if owner := s.value(t, "select owner_user_id::text from organizations where auth_org_id = $1", org.ID); owner != user {
			t.Errorf("the owner is %s, want %s", owner, user)
		}
		for _, a := range answers {
			a.is(t, p, name)
			if a.status == http.StatusOK && (a.User.ID != user || a.Organization.ID != made) {
				t.Errorf("%s; the rows are %s and %s", a.body, user, made)
			}
		}
	}
}

// within waits until something holds, no longer than it may take.
func (s *system) within(t *testing.T, d time.Duration, holds func() bool) {
	t.Helper()
	for begun := time.Now(); !holds(); time.Sleep(10 * time.Millisecond) {
		if took := time.Since(begun); took > d {
			t.Fatalf("not after %v", took)
		}
	}
}
