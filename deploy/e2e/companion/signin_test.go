package companion

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// A sign-in may begin on one side and finish on the other; either accepts the other's session, and a second sign-in
// makes nobody new.
func TestEitherSideFinishesWhatTheOtherBegan(t *testing.T) {
	for _, in := range storages() {
		t.Run(in.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, in, nil, nil)
			ids := map[string]bool{}
			for _, begin := range []side{goSide, js} {
				for _, finish := range []side{goSide, js} {
					name := string(begin) + " to " + string(finish)
					b := s.browser(t)
					s.at(begin)
					back := b.visit(b.begin("/welcome?x=1"), ada.Sub)
					s.at(finish)
					done := b.do(http.MethodGet, back, "")
					if done.StatusCode != http.StatusFound || done.Header.Get("Location") != "/welcome?x=1" {
						t.Fatalf("%s: %d to %q, want 302 to /welcome?x=1\n%s", name, done.StatusCode, done.Header.Get("Location"), s.usher.Output())
					}
					for _, reader := range []side{js, goSide} {
						s.at(reader)
						if got := b.who(); got != "ada@example.com" {
							t.Errorf("%s, read by %s: %q", name, reader, got)
						}
					}
					var accounts []struct{ ID, UserID, ProviderID, AccountID string }
					list := b.do(http.MethodGet, "/api/auth/list-accounts", "")
					if err := json.Unmarshal([]byte(list.body), &accounts); err != nil || len(accounts) != 1 {
						t.Fatalf("%s: accounts %s %v", name, list.body, err)
					}
					ids[accounts[0].UserID+" "+accounts[0].ID] = true

					again := b.do(http.MethodGet, back, "")
					if to := again.Header.Get("Location"); again.StatusCode != http.StatusFound || !strings.Contains(to, "error=state_mismatch") {
						t.Errorf("%s: the same callback once more: %d to %q", name, again.StatusCode, to)
					}
					s.at(begin)
					if out := b.do(http.MethodPost, "/api/auth/sign-out", "{}"); out.StatusCode != http.StatusOK {
						t.Errorf("%s: sign-out: %d %s", name, out.StatusCode, out.body)
					}
					for _, reader := range []side{js, goSide} {
						s.at(reader)
						if got := b.who(); got != "" {
							t.Errorf("%s, signed out and read by %s: %q", name, reader, got)
						}
					}
				}
			}
			if len(ids) != 1 {
				t.Errorf("one identity became several: %v", ids)
			}
		})
	}
}

// Signing out here signs out at the provider too, where it says how; both sides lead to the same place.
func TestSigningOutLeadsToTheProvider(t *testing.T) {
	s := newSite(t, storages()[1], nil, nil)
	where := map[side]string{}
	for _, who := range []side{goSide, js} {
		s.at(who)
		b := s.browser(t)
		if done := b.do(http.MethodGet, b.visit(b.begin("/"), ada.Sub), ""); done.StatusCode != http.StatusFound {
			t.Fatalf("%s: %d %s", who, done.StatusCode, done.body)
		}
		out := b.do(http.MethodPost, "/api/auth/sign-out", `{"callbackURL":"/","state":"st"}`)
		var leave struct {
			Success, Redirect bool
			URL               string
		}
		if err := json.Unmarshal([]byte(out.body), &leave); err != nil || !leave.Success || !leave.Redirect || out.Header.Get("Location") != leave.URL {
			t.Fatalf("%s: %d %s, Location %q", who, out.StatusCode, out.body, out.Header.Get("Location"))
		}
		q := parse(t, leave.URL).Query()
		if q.Get("id_token_hint") == "" {
			t.Errorf("%s: no id_token_hint in %s", who, leave.URL)
		}
		where[who] = strings.Replace(leave.URL, q.Get("id_token_hint"), "HINT", 1)
	}
	if where[goSide] != where[js] || !strings.HasPrefix(where[goSide], s.idp.URL) {
		t.Errorf("Usher leads to\n%s\nand Better Auth to\n%s", where[goSide], where[js])
	}
}
