//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/usherauth/usher/internal/testenv"
)

// keyPrefix is that of Better Auth's own adapter.
const keyPrefix = "better-auth:"

// emptyRedis starts one that writes nothing to the disk, so that no rewriting of its log falls into a measurement.
func emptyRedis(t testing.TB) *testenv.RedisServer {
	t.Helper()
	return testenv.StartRedis(t, "--appendonly", "no")
}

// secondary is a Redis with sessions 1 to n, as Better Auth's secondary storage without a database.
func (w *world) secondary(n int) *testenv.RedisServer {
	w.t.Helper()
	server := emptyRedis(w.t)
	client := dialRedis(w.t, server)
	w.say("%d sessions for Redis", n)
	ctx, cancel := context.WithTimeout(w.t.Context(), 4*time.Minute)
	defer cancel()
	const batch = 1000
	for from := 1; from <= n; from += batch {
		_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i := from; i < min(from+batch, n+1); i++ {
				pipe.Set(ctx, keyPrefix+token(i), kept(i, token(i)), lifetime)
			}
			return nil
		})
		must(w.t, err)
	}
	return server
}

// inRedis is the configuration of a gate on such a Redis.
func inRedis(server *testenv.RedisServer) string {
	return fmt.Sprintf("store: { url: %q }", server.URL())
}

func dialRedis(t testing.TB, server *testenv.RedisServer) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: server.Address()})
	t.Cleanup(func() { client.Close() })
	return client
}

// memoryOf is what a Redis has allocated, in bytes.
func memoryOf(t testing.TB, server *testenv.RedisServer) float64 {
	t.Helper()
	_, after, _ := strings.Cut(server.Call(t, "INFO", "memory"), "used_memory:")
	text, _, _ := strings.Cut(after, "\r\n")
	bytes, err := strconv.ParseFloat(text, 64)
	must(t, err)
	return bytes
}

// lifetime of a session, Better Auth's default.
const lifetime = 7 * 24 * time.Hour

// kept is what Better Auth writes for a session of user i.
func kept(i int, token string) string {
	const layout = "2006-01-02T15:04:05.000Z"
	now := time.Now().UTC()
	return fmt.Sprintf(`{"session":{"id":%[1]q,"ipAddress":"203.0.113.9","userAgent":%[2]q,"expiresAt":%[3]q,"userId":%[4]q,`+
		`"token":%[5]q,"createdAt":%[6]q,"updatedAt":%[6]q,"activeOrganizationId":null,"activeTeamId":null,"impersonatedBy":null},`+
		`"user":{"name":"Ada Lovelace","email":"ada.%[7]d@example.com","emailVerified":true,"image":null,"createdAt":%[6]q,`+
		`"updatedAt":%[6]q,"role":"user","banned":false,"banReason":null,"banExpires":null,"id":%[4]q}}`,
		md5Of("id of "+token), ordinary[0][1], now.Add(lifetime).Format(layout), userID(i), token, now.Format(layout), i)
}

// redisSessions asks for everybody once, which a gate that remembers nothing has to look up in Redis, in turns with a
// client that does the same two reads and decodes nothing; then for people in memory, of a gate on Redis and one on
// PostgreSQL.
func redisSessions(w *world, r *report) {
	w.sessions(w.usual)
	place := w.secondary(w.usual)
	gate := w.usher(w.t, false, inRedis(place), "cache: { size: 0 }")
	people := newVisitors(w.usual, overGRPC)
	w.warm(gate, people, min(w.usual, 20_000)) // so that encoding is not measured
	const seconds = 4
	var ours, raw []figure
	var redisOurs, redisRaw []float64
	for range min(w.rounds, 4) {
		before := cpu(w.t, place.Pid())
		found := w.raw("redis", seconds, place.Address(), strconv.Itoa(w.usual))
		raw = append(raw, figure{rate: found.rate()})
		redisRaw = append(redisRaw, (cpu(w.t, place.Pid())-before).Seconds()/float64(found.Count))

		before = cpu(w.t, place.Pid())
		f := w.closed(gate.grpc, gate.pid, newGRPC, people.inTurn(), seconds)
		ours = append(ours, f)
		redisOurs = append(redisOurs, (cpu(w.t, place.Pid())-before).Seconds()/(f.rate*seconds*w.second))
	}
	r.add(16, median(ours, rate)/median(raw, rate), "gate %.0f/s, go-redis %.0f/s; one takes %.1f µs of Redis, %.1f with go-redis, and %.1f µs of the gate; a session has %.0f B in Redis",
		median(ours, rate), median(raw, rate), median(redisOurs, itself)*1e6, median(redisRaw, itself)*1e6, median(ours, used)*1e6, memoryOf(w.t, place)/float64(w.usual))

	gates := []*server{w.usher(w.t, true, inRedis(place), remembering(w.usual)), w.usher(w.t, true, remembering(w.usual))}
	var all [2][]figure
	for _, g := range gates {
		w.warm(g, people, w.usual)
	}
	for range w.rounds {
		for i, g := range gates {
			all[i] = append(all[i], w.closed(g.grpc, g.pid, newGRPC, people.zipf(), 2))
		}
	}
	r.also(16, "sessions in Redis: checks/s from memory ÷ with PostgreSQL", median(all[0], rate)/median(all[1], rate),
		"Redis %.0f/s, PostgreSQL %.0f/s", median(all[0], rate), median(all[1], rate))
}

// sharedCache counts what replicas with a memory look up that are asked for everybody one after the other, and then asks for
// everybody in turn, of gates that remember next to nobody: one that finds them in Redis, and one that has PostgreSQL
// alone. All start before anybody is asked for: a replica takes nothing that was looked up before it heard of changes.
func sharedCache(w *world, r *report) {
	w.sessions(w.usual)
	redisServer := emptyRedis(w.t)
	shared := fmt.Sprintf("redis: { url: %q }", redisServer.URL())
	const small = "cache: { size: 10, ttl: 1h, ttl_unnotified: 60s }"
	people := newVisitors(w.usual, overGRPC)
	var replicas []*server
	for range 3 {
		replicas = append(replicas, w.usher(w.t, false, shared, remembering(w.usual)))
	}
	gates := []*server{w.usher(w.t, false, shared, small), w.usher(w.t, false, small)}
	for _, g := range append(replicas, gates[0]) {
		for begin := time.Now(); g.metric(w.t, "usher_shared_cache_up") != 1; time.Sleep(20 * time.Millisecond) {
			if time.Since(begin) > 20*time.Second {
				w.t.Fatalf("the gate does not reach Redis\n%s", g.proc.Output())
			}
		}
	}
	time.Sleep(time.Second) // an answer is taken for half a second older than it is
	lookups := func(s *server) float64 { return s.metric(w.t, "usher_store_requests_total") }

	var counts []string
	sum := 0.0
	for _, g := range replicas {
		w.warm(g, people, w.usual)
		n := lookups(g)
		sum += n
		counts = append(counts, fmt.Sprintf("%.0f", n))
	}
	r.also(17, "the database's lookups of 3 replicas with a shared cache ÷ without", sum/float64(len(replicas)*w.usual),
		"%d sessions, asked for once of each replica in turn: %s; a session has %.0f B in Redis", w.usual, strings.Join(counts, ", "), memoryOf(w.t, redisServer)/float64(w.usual))

	const seconds = 4
	rounds := min(w.rounds, 4)
	var all [2][]figure
	var spent [2][]float64 // by the store that answers, for each
	var looked [2]float64  // in the database, for each
	for range rounds {
		for i, used := range []func() time.Duration{
			func() time.Duration { return cpu(w.t, redisServer.Pid()) },
			func() time.Duration { return family(w.t, w.postgres) },
		} {
			g := gates[i]
			began, had, missed := used(), lookups(g), g.metric(w.t, "usher_cache_misses_total")
			f := w.closed(g.grpc, g.pid, newGRPC, people.inTurn(), seconds)
			missed = g.metric(w.t, "usher_cache_misses_total") - missed
			looked[i] += (lookups(g) - had) / missed / float64(rounds)
			spent[i] = append(spent[i], (used()-began).Seconds()/missed)
			f.rate = missed / (seconds * w.second)
			all[i] = append(all[i], f)
		}
	}
	r.add(17, median(all[0], rate)/median(all[1], rate),
		"Redis %.0f/s, PostgreSQL %.0f/s; one takes %.1f µs of Redis, or %.1f of PostgreSQL, and %.1f or %.1f µs of the gate; lookups in the database for each: %.3f or %.3f",
		median(all[0], rate), median(all[1], rate), median(spent[0], itself)*1e6, median(spent[1], itself)*1e6,
		median(all[0], used)*1e6, median(all[1], used)*1e6, looked[0], looked[1])
}

func itself(f float64) float64 { return f }

// bareRedis reads a session and its user's tombstone, one after the other and undecoded, as fast as 32 goroutines can over
// as many connections as the gate has, and prints how many there were.
func bareRedis(args []string) error {
	sessions, seconds := 0, 0.0
	if _, err := fmt.Sscan(args[1]+" "+args[2], &sessions, &seconds); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: args[0], PoolSize: 16})
	defer client.Close()
	ctx := context.Background()
	return asFastAsItCan(seconds, func(n int) error {
		i := 1 + n%sessions
		if _, err := client.Get(ctx, keyPrefix+token(i)).Result(); err != nil {
			return err
		}
		if err := client.Get(ctx, keyPrefix+"revoked-sessions-before-"+userID(i)).Err(); !errors.Is(err, redis.Nil) {
			return fmt.Errorf("a tombstone that nobody wrote: %w", err)
		}
		return nil
	})
}
