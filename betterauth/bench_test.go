package betterauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/usherauth/usher/gate"
)

// others are other systems' cookies, about 850 bytes, as a grown application's users send them.
var others = [2]string{
	"_ga=GA1.2.1234567890.1700000000; _gid=GA1.2.987654321.1700000000; intercom-session-abcdefgh=" + strings.Repeat("dWc5", 40) +
		"; theme=dark; ajs_anonymous_id=%22" + strings.Repeat("0a1b2c3d", 4) + "%22; ",
	"; amplitude_id_0a1b2c3d4e5f=" + strings.Repeat("eyJk", 70) + "; OptanonConsent=isGABCCompliant=1&datestamp=" +
		strings.Repeat("Mon+Nov+23+", 8) + "; lang=en-GB; consent=yes",
}

func kilobyte(pairs string) string { return others[0] + pairs + others[1] }

var shapes = []struct {
	name  string
	r     gate.Request
	fails bool
}{
	{"cookie", gate.Request{Cookies: []string{kilobyte(good(ada))}}, false},
	{"forged", gate.Request{Cookies: []string{kilobyte(forged(ada))}}, true},
	{"malformed", gate.Request{Cookies: []string{kilobyte(name + "=" + strings.Repeat("x", 100))}}, true},
	{"second of two", gate.Request{Cookies: []string{kilobyte(forged(ada) + "; " + good(bob))}}, false},
	{"none", gate.Request{Cookies: []string{kilobyte("a=b")}}, true},
	{"raw bearer", gate.Request{Authorization: "Bearer " + ada}, false},
	{"signed bearer", gate.Request{Authorization: "Bearer " + bare(ada)}, false},
	{"forged bearer", gate.Request{Authorization: "Bearer " + Sign("other", ada)}, true},
}

func TestReadAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools")
	}
	reader := newReader(t, Config{OlderSecrets: []string{"old"}})
	for _, c := range shapes {
		got := testing.AllocsPerRun(500, func() {
			if _, err := reader.Read(&c.r); (err != nil) != c.fails {
				t.Fatal(err)
			}
		})
		const most = 2
		t.Logf("%-14s %.0f", c.name, got)
		if got > most || c.fails && got > 0 {
			t.Errorf("%s: %.0f allocations; at most %d, and none for what is refused", c.name, got, most)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	reader := newReader(b, Config{})
	for _, c := range shapes {
		b.Run(strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := reader.Read(&c.r); (err != nil) != c.fails {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFloor is what cannot be avoided: one HMAC of a token, keyed before. Compare BenchmarkRead with it.
func BenchmarkFloor(b *testing.B) {
	mac := hmac.New(sha256.New, []byte(rigSecret))
	token, sum := []byte(ada), make([]byte, 0, sha256.Size)
	b.ReportAllocs()
	for b.Loop() {
		mac.Reset()
		mac.Write(token)
		mac.Sum(sum)
	}
}
