//go:build linux

package load

import (
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "compute docs/capacity.md anew from the figures in it")

const capacityPage = "../../docs/capacity.md"

// TestCapacity demands that what the page says follows from the figures in its first table.
func TestCapacity(t *testing.T) {
	text, err := os.ReadFile(capacityPage)
	must(t, err)
	page := string(text)
	from, to := strings.Index(page, computedFrom), strings.Index(page, computedTo)
	if from < 0 || to < from {
		t.Fatalf("%s has no %s … %s", capacityPage, computedFrom, computedTo)
	}
	want := page[:from] + computedFrom + "\n" + plan(figuresOf(t, page)) + page[to:]
	if *update {
		must(t, os.WriteFile(capacityPage, []byte(want), 0o644))
		return
	}
	if want != page {
		t.Errorf("%s does not follow from its figures; go test ./deploy/load -run TestCapacity -update. It should say:\n%s",
			capacityPage, want[from:len(want)-len(page)+to])
	}
}

const (
	computedFrom = "<!-- computed from the figures: go test ./deploy/load -run TestCapacity -update -->"
	computedTo   = "<!-- end -->"
)

// planned are the figures by the names that the page gives them.
type planned map[string]float64

// figuresOf reads lines of the shape "| `name` | meaning | 12.5 µs | …".
func figuresOf(t testing.TB, page string) planned {
	t.Helper()
	p := planned{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\|[^|]*\\| ([0-9.]+) ").FindAllStringSubmatch(page, -1) {
		value, err := strconv.ParseFloat(m[2], 64)
		must(t, err)
		p[m[1]] = value
	}
	for _, name := range []string{"check_10k", "check_100k", "check_1m", "lookup", "lookup_redis", "shared_redis", "miss", "miss_shared", "session", "idle", "busy", "pause", "changes"} {
		if p[name] <= 0 {
			t.Fatalf("%s has no figure %s", capacityPage, name)
		}
	}
	return p
}

// check is the processor time of one from memory, in µs, with so many sessions in it: between the sizes that were measured
// by the logarithm of the number. Beyond a million nothing was; the slope is taken to stay.
func (p planned) check(sessions float64) (µs float64, measured bool) {
	decades := math.Log10(max(sessions, 10e3) / 100e3)
	if decades < 0 {
		return p["check_100k"] + decades*(p["check_100k"]-p["check_10k"]), true
	}
	return p["check_100k"] + decades*(p["check_1m"]-p["check_100k"]), decades <= 1
}

// routes are how requests reach replicas.
const (
	atRandom = "at random"
	sharing  = "at random, `redis.url`"
	affine   = "a session to its replica"
)

// tier is what one rate of checks takes.
type tier struct {
	replicas   float64
	remembered float64 // sessions in the memory of each
	measured   bool    // whether a memory of that size was
	memory     float64 // MB of each
	lookups    float64 // a second in the store
	reads      float64 // a second in the shared cache
	redis      float64 // its processors
}

// lives is for how many seconds an answer counts: until it is as old as it may be, or until a notice falls into one of the
// places of what it depends on, be it about somebody else. That is a session, a user and an organization, in store/cached's
// 2²⁰ places. Somebody who signs in and out is told twice.
func (p planned) lives(sessions, ttl float64) float64 {
	ended := 2 * sessions / (p["changes"] * 3600) * 3 / (1 << 20) // a second
	return -math.Expm1(-ended*ttl) / ended
}

// tier finds the least number of replicas that suffices. Somebody's requests are strangers to each other, so one that comes
// to a replica every d seconds on average finds its session gone in one of 1 + lives ÷ d cases.
func (p planned) tier(route string, checks, ttl float64) (t tier) {
	sessions := checks * p["pause"]
	lives := p.lives(sessions, ttl)
	once := checks / (1 + lives/p["pause"]) // misses a second, if there were one memory
	for t.replicas = 2; ; t.replicas++ {
		misses, miss, share := once, p["miss"], 1/t.replicas
		if route != affine {
			misses, share = checks/(1+lives/(p["pause"]*t.replicas)), 1
		}
		t.lookups = misses
		if route == sharing {
			t.lookups, t.reads, miss = once, misses, p["miss_shared"]
		}
		t.remembered = sessions * share * (1 - misses/checks)
		check, measured := p.check(t.remembered)
		t.measured = measured
		if t.replicas >= (checks*check+misses*miss)/1e6/(p["busy"]/100) {
			break
		}
	}
	t.memory = p["idle"] + t.remembered*p["session"]/1e6
	if route == sharing {
		t.redis = (t.reads + t.lookups) * p["shared_redis"] / 1e6 // a write is taken to cost as much as a read
	}
	return t
}

func plan(p planned) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| checks a second, sessions | requests reach replicas | replicas of 1 core | sessions and memory of each | `cache.ttl` | lookups a second | PostgreSQL | or the sessions in Redis | shared cache |")
	fmt.Fprintln(&b, "|---|---|---|---|---|---|---|---|---|")
	for _, checks := range []float64{10e3, 100e3, 1e6} {
		ttl, words := 600.0, "10m"
		if checks <= 10e3 {
			ttl, words = 60, "1m"
		}
		for _, route := range []string{atRandom, sharing, affine} {
			t := p.tier(route, checks, ttl)
			shared, mark := "", ""
			if t.redis > 0 {
				shared = fmt.Sprintf("%s reads a second, %s cores", round(t.reads), round(t.redis))
			}
			if !t.measured {
				mark = " *"
			}
			fmt.Fprintf(&b, "| %s, %s | %s | %.0f%s | %s, %s MB | %s | %s | %s cores | %s cores | %s |\n", round(checks), round(checks*p["pause"]), route,
				t.replicas, mark, round(t.remembered), round(t.memory), words, round(t.lookups),
				round(t.lookups*p["lookup"]/1e6), round(t.lookups*p["lookup_redis"]/1e6), shared)
		}
	}
	return b.String()
}

// round writes two digits that count, and thousands apart.
func round(x float64) string {
	if x <= 0 {
		return "0"
	}
	unit := math.Pow(10, math.Floor(math.Log10(x))-1)
	x = math.Round(x/unit) * unit
	if x < 10 {
		return strconv.FormatFloat(x, 'g', 2, 64)
	}
	text := strconv.FormatFloat(x, 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + " " + text[i:]
	}
	return text
}

func TestRound(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 0.0123: "0.012", 3.14: "3.1", 9.99: "10", 12.3: "12", 3333: "3 300", 180_000: "180 000", 1e6: "1 000 000"} {
		if got := round(x); got != want {
			t.Errorf("%v: %q, want %q", x, got, want)
		}
	}
}
