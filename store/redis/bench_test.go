package redis_test

import (
	"testing"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/redis"
)

// BenchmarkResolve is a whole lookup: the value and the tombstone, one after the other.
func BenchmarkResolve(b *testing.B) {
	server := testenv.StartRedis(b)
	server.Call(b, "SET", prefix+"token", value("token"))
	s := open(b, redis.Config{URL: server.URL(), Prefix: prefix})
	who := gate.Proven(gate.ByCookie, "token")
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Resolve(b.Context(), who); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("together", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := s.Resolve(b.Context(), who); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
