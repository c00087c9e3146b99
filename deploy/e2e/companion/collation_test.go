package companion

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/usherauth/usher/internal/testenv"
)

// A database may be told to take é for e, and then it finds somebody else by an address. Better Auth looks again at whom it
// was given, in lower case and composed (findUserByEmail of 1.7.25); so do we.
func TestADatabaseThatTakesOneLetterForAnother(t *testing.T) {
	t.Parallel()
	database := testenv.Postgres(t).NewDatabase(t)
	s := newSite(t, storage{database: func(*testing.T) string { return database }}, nil, nil)
	execute(t, database,
		`create collation lax (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`,
		`alter table "user" alter column email type text collate lax`)
	for _, c := range []struct {
		email string // of somebody who is there already; the one who comes is renée@example.com
		same  bool
	}{
		{"ren\u00e9e@example.com", true},
		{"rene\u0301e@example.com", true}, // the same, decomposed
		{"Ren\u00c9e@example.com", true},
		{"renee@example.com", false},
		{"ren\u00e8e@example.com", false},
	} {
		for _, who := range []side{js, goSide} {
			execute(t, database, `delete from "user"`, fmt.Sprintf(
				`insert into "user" (id, name, email, "emailVerified", "createdAt", "updatedAt") values ('them', 'X', '%s', true, now(), now())`, c.email))
			s.at(who)
			b := s.browser(t)
			to := b.do(http.MethodGet, b.visit(b.begin("/welcome"), "sub-renee"), "").Header.Get("Location")
			linked := number(t, database, `select count(*) from account where "userId" = 'them'`)
			if (linked == 1) != c.same || (to == "/welcome") != c.same || (b.who() != "") != c.same {
				t.Errorf("%s, %+q is there: %d accounts linked, to %s, signed in as %q", who, c.email, linked, to, b.who())
			}
			if all := number(t, database, `select count(*) from "user"`); all != 1 {
				t.Errorf("%s, %+q is there: %d users", who, c.email, all)
			}
		}
	}
}
