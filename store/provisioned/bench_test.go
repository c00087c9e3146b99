package provisioned_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/provisioned"
	"github.com/usherauth/usher/store/sqlite"
)

// BenchmarkProvision is what rows cost a lookup that no memory answered: of a user with two organizations, whose rows are
// made (first), are there (steady) or are compared (followed), and the lookup without any.
func BenchmarkProvision(b *testing.B) {
	for _, kind := range []string{"postgres", "sqlite", "sqlite-wal"} {
		d := kinds()[kind](b)
		d.betterAuth(b)
		d.exec(b, shape)
		insertUser(b, d, "u1", nil)
		for _, id := range []string{"o1", "o2"} {
			insertOrganization(b, d, id)
			insertMember(b, d, id, "u1", "owner", 1)
		}
		d.exec(b, fmt.Sprintf(`insert into session (id, token, "userId", "expiresAt", "createdAt", "updatedAt") values ('s1', 'token', 'u1', '2099-01-01T00:00:00.000Z', %s, %s)`, instant, instant))
		var next closable
		var err error
		if kind == "postgres" {
			next, err = postgres.Open(b.Context(), postgres.Config{URL: d.url})
		} else {
			next, err = sqlite.Open(b.Context(), sqlite.Config{URL: d.url})
		}
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(next.Close)
		c := mapped()
		r := d.open(b, c)
		c.Users.Update, c.Organizations.Update, c.Members.Update = true, true, true
		follows := d.open(b, c)
		resolve := func(b *testing.B, s gate.Resolver) {
			if _, err := s.Resolve(context.Background(), gate.Proven(gate.ByCookie, "token")); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(kind+"/without", func(b *testing.B) {
			for b.Loop() {
				resolve(b, next)
			}
		})
		for name, s := range map[string]*provisioned.Resolver{"steady": provisioned.New(next, r), "followed": provisioned.New(next, follows)} {
			b.Run(kind+"/"+name, func(b *testing.B) {
				for b.Loop() {
					resolve(b, s)
				}
			})
		}
		b.Run(kind+"/first", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				p := ada()
				p.User.ID, p.Memberships[0].OrganizationID, p.Memberships[1].OrganizationID = fmt.Sprint("b", i), fmt.Sprint("x", i), fmt.Sprint("y", i)
				if err := r.Provision(context.Background(), p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
