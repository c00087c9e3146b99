package sqlite_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/usherauth/usher/gate"
)

const benchSessions = 20_000

// BenchmarkResolve compares a whole lookup with the least that database/sql can do: one column of one row by the same
// key. Each is asked alone and with 32 in flight.
func BenchmarkResolve(b *testing.B) {
	path := database(b, filepath.Join(b.TempDir(), "a.db"), "token")
	execute(b, path, fmt.Sprintf(`begin; with recursive n(i) as (select 0 union all select i + 1 from n where i < %d)
		insert into "user" select 'u-' || i, 'User ' || i, i || '@example.com', 1, null, '', '', null, 0, null, null from n;
		insert into "session" ("id", "token", "userId", "expiresAt", "createdAt", "updatedAt", "activeOrganizationId")
			select 's' || "id", 'token' || substr("id", 2), "id", '2036-11-21T20:42:28.618Z', '2026-11-21T20:42:28.618Z', '', 'o1' from "user" where "id" <> 'u1';
		insert into "organization" values ('o1', 'Org', 'org', null, '2026-11-21T20:42:28.618Z', null);
		insert into "member" select 'm' || "id", 'o1', "id", 'member', '2026-11-21T20:42:28.618Z' from "user"; commit; analyze`, benchSessions-1))
	s := open(b, path)
	db := other(b, path)
	b.Cleanup(func() { db.Close() })
	db.SetMaxIdleConns(4)
	db.SetMaxOpenConns(4)
	raw, err := db.PrepareContext(b.Context(), `select "expiresAt" from "session" where "token" = ?`)
	if err != nil {
		b.Fatal(err)
	}
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
			var expires any
			return raw.QueryRowContext(b.Context(), token()).Scan(&expires)
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
