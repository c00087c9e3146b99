package companion

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/testenv"
)

// Who is taken for a user that is there already: both sides decide the same in every case of section 3.1, and lead to the
// same place.
func TestBothLinkTheSamePeople(t *testing.T) {
	for name, c := range map[string]struct {
		theirs map[string]any
		ours   string
		links  int // of the four cases: the provider verified the address, or not; we did, or not
	}{
		"as it comes":           {map[string]any{}, ``, 1},
		"trusted":               {map[string]any{"trustedProviders": []string{"acme"}}, `trusted_providers: [acme]`, 2},
		"another is trusted":    {map[string]any{"trustedProviders": []string{"github"}}, `trusted_providers: [github]`, 1},
		"unproved users":        {map[string]any{"requireLocalEmailVerified": false}, `require_local_email_verified: false`, 2},
		"trusted, and unproved": {map[string]any{"trustedProviders": []string{"acme"}, "requireLocalEmailVerified": false}, `trusted_providers: [acme], require_local_email_verified: false`, 4},
		"by oneself alone":      {map[string]any{"disableImplicitLinking": true, "trustedProviders": []string{"acme"}}, `disable_implicit_linking: true, trusted_providers: [acme]`, 0},
		"never":                 {map[string]any{"enabled": false, "trustedProviders": []string{"acme"}}, `enabled: false, trusted_providers: [acme]`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			database := testenv.Postgres(t).NewDatabase(t)
			s := newSite(t, storage{database: func(*testing.T) string { return database }}, nil, map[string]any{"account": map[string]any{"accountLinking": c.theirs}})
			if c.ours != "" {
				s.sides[goSide] = s.another(t, func(line string) string {
					return strings.Replace(line, "better_auth: {", "better_auth: { account: { account_linking: { "+c.ours+" } },", 1)
				}, "people sign in here").url
			}
			links := 0
			for _, who := range []struct{ sub, email string }{{ada.Sub, "ada@example.com"}, {"sub-eve", "eve@example.com"}} {
				for _, proved := range []bool{true, false} {
					got := map[side]string{}
					for _, answers := range []side{js, goSide} {
						execute(t, database, `delete from "user"`, fmt.Sprintf(
							`insert into "user" (id, name, email, "emailVerified", "createdAt", "updatedAt") values ('them', 'X', '%s', %v, now(), now())`, who.email, proved))
						s.at(answers)
						b := s.browser(t)
						to := b.do(http.MethodGet, b.visit(b.begin("/welcome"), who.sub), "").Header.Get("Location")
						linked := number(t, database, `select count(*) from account where "userId" = 'them'`)
						got[answers] = fmt.Sprintf("to %s as %q, %d linked, %d users, %d proved", to, b.who(), linked,
							number(t, database, `select count(*) from "user"`), number(t, database, `select count(*) from "user" where "emailVerified"`))
						if answers == goSide {
							links += linked
						}
					}
					if got[js] != got[goSide] {
						t.Errorf("%s, proved here: %v\nBetter Auth: %s\nUsher:       %s", who.email, proved, got[js], got[goSide])
					}
				}
			}
			if links != c.links {
				t.Errorf("%d of 4 are linked, not %d", links, c.links)
			}
		})
	}
}
