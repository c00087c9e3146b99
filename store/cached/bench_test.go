package cached_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
	"github.com/usherauth/usher/store/cached"
)

// crowd answers every token that ends in a number with a person of its own, whose texts are as long as Better Auth's.
type crowd struct{ started time.Time }

func (c crowd) Resolve(_ context.Context, credential gate.Credential) (*gate.Principal, error) {
	digits := credential.Token()[24:]
	id := func(kind string) string {
		tag := store.UserTag(kind + digits)
		return hex.EncodeToString(tag[:])
	}
	organization := id("o")
	return &gate.Principal{
		Session: gate.Session{ID: id("s"), CreatedAt: c.started, ExpiresAt: c.started.Add(7 * 24 * time.Hour), ActiveOrganization: organization},
		User:    gate.User{ID: id("u"), Name: "Ada Lovelace " + digits[:2], Email: "ada.lovelace@example.com", EmailVerified: true, Roles: "user"},
		Memberships: []gate.Membership{
			{OrganizationID: organization, Slug: "acme-" + digits, Name: "Acme " + digits, Roles: "member"},
		},
	}, nil
}

// crowdTokens are n tokens in one string, so that they cost the garbage collector nothing.
func crowdTokens(n int) func(i int) gate.Credential {
	var b strings.Builder
	b.Grow(32 * n)
	for i := range n {
		fmt.Fprintf(&b, "CfGKi167y3hW3FhSqs998axw%08d", i)
	}
	all := b.String()
	return func(i int) gate.Credential { return proven(all[32*i : 32*i+32]) }
}

// BenchmarkMillion answers from memory that holds so many sessions, each as likely as the other, and says what they
// cost: resident memory over that of an empty cache, a garbage collection and its pauses.
func BenchmarkMillion(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			tokens := crowdTokens(n)
			c := cached.New(crowd{time.Now()}, cached.Config{Size: n + n/100, TTL: time.Hour, TTLUnnotified: time.Hour})
			defer c.Close()
			debug.FreeOSMemory()
			before := resident(b)
			for i := range n {
				if _, err := c.Resolve(b.Context(), tokens(i)); err != nil {
					b.Fatal(err)
				}
			}
			debug.FreeOSMemory()
			grown := resident(b) - before
			var old, now runtime.MemStats
			runtime.ReadMemStats(&old)
			began := time.Now()
			runtime.GC()
			collected := time.Since(began)
			runtime.ReadMemStats(&now)
			misses := c.Stats().Misses
			b.ReportAllocs()
			for i := uint(0); b.Loop(); i++ {
				if _, err := c.Resolve(b.Context(), tokens(int(i*2654435761%uint(n)))); err != nil { //nolint:gosec // below n
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(grown)/float64(n), "B/session")
			b.ReportMetric(float64(collected.Microseconds())/1000, "ms/gc")
			b.ReportMetric(float64(now.PauseTotalNs-old.PauseTotalNs)/1000, "µs-paused/gc")
			b.ReportMetric(float64(c.Stats().Misses-misses)/float64(b.N), "misses/op")
		})
	}
}

// resident is how much of the process is in memory.
func resident(b *testing.B) int {
	b.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip(err) // not Linux
	}
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	if err != nil {
		b.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// BenchmarkResolve is one answer of each kind. Run it with -cpu 1,2: what processors wait for shows in the difference.
func BenchmarkResolve(b *testing.B) {
	const n = 10_000
	tokens := crowdTokens(n)
	for name, config := range map[string]cached.Config{
		"hit":  {Size: 2 * n, TTL: time.Hour, TTLUnnotified: time.Hour},
		"miss": {},
	} {
		b.Run(name, func(b *testing.B) {
			c := open(b, crowd{time.Now()}, config)
			for i := range n {
				_, _ = c.Resolve(b.Context(), tokens(i))
			}
			var next atomic.Uint64
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := next.Add(7919); pb.Next(); i += 2654435761 {
					if _, err := c.Resolve(b.Context(), tokens(int(i%n))); err != nil { //nolint:gosec // below n
						b.Error(err)
						return
					}
				}
			})
		})
	}
	b.Run("nobody", func(b *testing.B) {
		now := time.Now()
		c := open(b, newSource(nil), cached.Config{Size: n, TTL: time.Hour, TTLUnnotified: time.Hour, Now: func() time.Time { return now }})
		b.ReportAllocs()
		for b.Loop() {
			_, _ = c.Resolve(b.Context(), tokens(0))
		}
	})
}
