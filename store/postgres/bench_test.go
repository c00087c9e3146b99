package postgres_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/postgres"
)

const benchSessions = 20_000

// crowd is a database with many sessions, each of a user with one organization.
func crowd(b *testing.B) string {
	b.Helper()
	url := testenv.Postgres(b).NewDatabase(b)
	if _, err := postgres.Apply(b.Context(), postgres.Config{URL: url},
		betterauth.Plugins{Organization: true, Teams: true, Admin: true}, false); err != nil {
		b.Fatal(err)
	}
	execute(b, url, fmt.Sprintf(`
		insert into "user" ("id", "name", "email", "emailVerified") select 'u' || i, 'User ' || i, i || '@example.com', true from generate_series(0, %[1]d) i;
		insert into "session" ("id", "token", "userId", "expiresAt", "updatedAt", "activeOrganizationId")
			select 's' || i, 'token-' || i, 'u' || i, now() + interval '7 days', now(), 'o' || i / 10 from generate_series(0, %[1]d) i;
		insert into "organization" ("id", "name", "slug", "createdAt") select 'o' || i, 'Org ' || i, 'org-' || i, now() from generate_series(0, %[1]d / 10) i;
		insert into "member" ("id", "userId", "organizationId", "role", "createdAt") select 'm' || i, 'u' || i, 'o' || i / 10, 'member', now() from generate_series(0, %[1]d) i;
		analyze`, benchSessions-1))
	return url
}

// BenchmarkResolve compares a whole lookup with the least that a pgx pool can do: one column of one row by the same key.
// Each is asked alone and with 32 in flight.
func BenchmarkResolve(b *testing.B) {
	url := crowd(b)
	s, err := postgres.Open(b.Context(), postgres.Config{URL: url})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	raw, err := pgxpool.New(b.Context(), url+"&pool_max_conns=8")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(raw.Close)

	var next atomic.Int64
	token := func() string { return fmt.Sprint("token-", next.Add(7919)%benchSessions) }
	for name, lookUp := range map[string]func() error{
		"usher": func() error {
			p, err := s.Resolve(b.Context(), gate.Proven(gate.ByCookie, token()))
			if err == nil && (p.User.ID == "" || len(p.Memberships) != 1) {
				return fmt.Errorf("got %+v", p)
			}
			return err
		},
		"raw": func() error {
			var expires time.Time
			return raw.QueryRow(context.Background(), `select "expiresAt" from "session" where "token" = $1`, token()).Scan(&expires)
		},
	} {
		b.Run(name+"/alone", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := lookUp(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/32 in flight", func(b *testing.B) {
			b.SetParallelism(16) // of 2 processors
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := lookUp(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
