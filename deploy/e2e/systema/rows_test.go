package systema

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/testenv"
)

// bound is how long a memory lasts in this test; slack is for a busy machine.
const bound, slack = time.Second, 2 * time.Second

// TestRowsInTime is what happens to rows after they were made, and where they cannot be.
func TestRowsInTime(t *testing.T) {
	t.Parallel()
	s := walk(t, "headers: { ids: business }", "headers: { ids: business }\ncache: { ttl: 1s }")
	gate := s.Started[1]

	t.Run("a changed name follows", func(t *testing.T) {
		if a := s.auth.Call(t, s.ada, http.MethodPost, "/update-user", map[string]string{"name": "Ada King"}); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		before := s.value(t, "select id::text from users where auth_id = $1", s.ada.UserID)
		for _, address := range s.proxies {
			s.within(t, time.Second, func() bool {
				a := get(t, address, "/me", bearer(s.ada.Token))
				return a.User != nil && a.User.Name == "Ada King" && a.User.ID == before
			})
		}
	})

	t.Run("a deleted row is made again", func(t *testing.T) {
		hal := s.auth.SignUp(t, "Hal", "hal@example.com")
		for _, address := range s.proxies {
			a := get(t, address, "/me", bearer(hal.Token))
			a.is(t, hal, "")
			s.sql(t, "delete from users where auth_id = $1", hal.UserID)
			s.within(t, bound+slack, func() bool {
				again := get(t, address, "/me", bearer(hal.Token))
				if again.status != http.StatusOK {
					t.Errorf("meanwhile: %d %s", again.status, again.body)
				}
				return again.User != nil && again.User.ID != a.User.ID
			})
		}
		if n := s.value(t, "select count(*)::text from users where auth_id = $1", hal.UserID); n != "1" {
			t.Errorf("%s rows", n)
		}
	})

	// A column that rows must have, and that nobody fills, refuses who is new, and nobody else.
	t.Run("a row that cannot be made", func(t *testing.T) {
		s.sql(t, "alter table users add column plan text not null default 'free'; alter table users alter column plan drop default")
		ida := s.auth.SignUp(t, "Ida", "ida@example.com")
		for _, address := range s.proxies {
			get(t, address, "/me", bearer(ida.Token)).refused(t, http.StatusServiceUnavailable, "PROVISION_FAILED")
			get(t, address, "/me", bearer(s.ada.Token)).is(t, s.ada, "acme")
		}
		complains(t, gate, "users", "plan")
		if said := s.check(t); !strings.Contains(said, "users") || !strings.Contains(said, "plan") || !strings.Contains(said, "exit 1") {
			t.Errorf("config check -connect finds nothing:\n%s", said)
		}
		s.sql(t, "alter table users alter column plan set default 'free'")
		if said := s.check(t); !strings.Contains(said, "exit 0") {
			t.Errorf("config check -connect says:\n%s", said)
		}
		s.heals(t, ida, "")
	})

	// A column that is gone refuses everybody as soon as what is remembered ends.
	t.Run("a column that is gone", func(t *testing.T) {
		s.sql(t, "alter table users rename column email to mail")
		for _, address := range s.proxies {
			s.within(t, bound+slack, func() bool { return get(t, address, "/me", bearer(s.bob.Token)).reason == "PROVISION_FAILED" })
		}
		complains(t, gate, "users", "email")
		s.sql(t, "alter table users rename column mail to email")
		s.heals(t, s.bob, "")
	})
}

// check is what `usher config check -connect` says, and how it ends.
func (s *system) check(t *testing.T) string {
	t.Helper()
	return s.Run(t, "usher config check -config usher.yaml -connect 2>&1 && echo exit 0 || echo exit $?\n")
}

// complains waits for an error in the log that names all of this.
func complains(t *testing.T, gate *testenv.Proc, words ...string) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < 5*time.Second; time.Sleep(20 * time.Millisecond) {
		for line := range strings.Lines(gate.Output()) {
			named := strings.Contains(line, `"level":"ERROR"`)
			for _, word := range words {
				named = named && strings.Contains(line, word)
			}
			if named {
				return
			}
		}
	}
	t.Errorf("no line of the log names %q:\n%s", words, gate.Output())
}

// heals waits until somebody passes again on both ways.
func (s *system) heals(t *testing.T, p *testenv.Person, slug string) {
	t.Helper()
	for _, address := range s.proxies {
		s.within(t, bound+slack, func() bool { return get(t, address, "/me", bearer(p.Token)).status == http.StatusOK })
		get(t, address, "/me", bearer(p.Token)).is(t, p, slug)
	}
}
