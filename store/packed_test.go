package store_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// ada is a principal as they mostly are.
func ada() *gate.Principal {
	return &gate.Principal{
		Session: gate.Session{
			ID: "Hd2kPqv0sTzX8mWcR5bN1yLj7fGu4aEo", ActiveOrganization: "Vb7nMq2wEr5tYu8iOp1aSd4fGh6jKl9z",
			CreatedAt: time.Date(2026, 11, 21, 20, 42, 23, 514e6, time.UTC), ExpiresAt: time.Date(2026, 11, 28, 20, 42, 23, 514e6, time.UTC),
		},
		User: gate.User{ID: "Qz9xWc3vRt6bNy0mUk2pLo5iJh8gFd1s", Name: "Ada Lovelace", Email: "ada.lovelace@example.com", EmailVerified: true, Roles: "user"},
		Memberships: []gate.Membership{
			{OrganizationID: "Vb7nMq2wEr5tYu8iOp1aSd4fGh6jKl9z", Slug: "acme", Name: "Acme Inc", Roles: "owner"},
		},
		Plain: true,
	}
}

func TestPackedPrincipalsComeBack(t *testing.T) {
	changed := func(change func(*gate.Principal)) *gate.Principal { p := ada(); change(p); return p }
	many := changed(func(p *gate.Principal) {
		p.Memberships = nil
		for i := range store.MaxMemberships {
			m := gate.Membership{OrganizationID: fmt.Sprint("o", i), Slug: fmt.Sprint("slug-", i), Roles: "member"}
			for j := range i % 3 {
				m.Teams = append(m.Teams, fmt.Sprint("t", i, j))
			}
			p.Memberships = append(p.Memberships, m)
		}
		p.Session.ActiveOrganization = "o777"
	})
	for it, p := range map[string]*gate.Principal{
		"ordinary":               ada(),
		"nothing":                {Plain: true},
		"no user":                {Session: ada().Session, Plain: true},
		"an active organization": changed(func(p *gate.Principal) { p.Session.ActiveOrganization = "left long ago" }),
		"banned":                 changed(func(p *gate.Principal) { p.User.Banned = true }),
		"banned for a while":     changed(func(p *gate.Principal) { p.User.Banned, p.User.BanExpires = true, p.Session.ExpiresAt.Add(1) }),
		"impersonated":           changed(func(p *gate.Principal) { p.Session.ImpersonatedBy, p.Session.ActiveTeam = "boss", "t1" }),
		"teams":                  changed(func(p *gate.Principal) { p.Memberships[0].Teams = []string{"t1", "", "t2"} }),
		"business rows":          changed(func(p *gate.Principal) { p.User.BusinessID, p.Memberships[0].BusinessID = "17", "4711" }),
		"a business row": changed(func(p *gate.Principal) {
			p.Memberships = append(p.Memberships, gate.Membership{OrganizationID: "o2", Teams: []string{"t"}, BusinessID: "ö"})
			p.Plain = false
		}),
		"two of one id": changed(func(p *gate.Principal) { p.Memberships = append(p.Memberships, p.Memberships[0]) }),
		"long texts": changed(func(p *gate.Principal) {
			p.User.Name, p.User.Email = strings.Repeat("n", 127), strings.Repeat("e", 1<<20)
		}),
		"not plain":     changed(func(p *gate.Principal) { p.User.Name, p.Plain = "Ärger ☃", false }),
		"not even text": changed(func(p *gate.Principal) { p.User.Name, p.Plain = "\xff\x00\r\n", false }),
		"forever": changed(func(p *gate.Principal) {
			p.Session.ExpiresAt = time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
		}),
		"before everything": changed(func(p *gate.Principal) { p.Session.CreatedAt = time.Date(-4712, 1, 1, 0, 0, 0, 1, time.UTC) }),
		"many memberships":  many,
	} {
		got, err := store.Unpack(store.Pack(p))
		if err != nil {
			t.Errorf("%s: %v", it, err)
			continue
		}
		if diff := cmp.Diff(p, got); diff != "" {
			t.Errorf("%s (-want +got):\n%.2000s", it, diff)
		}
	}
}

func TestPackedTimes(t *testing.T) {
	p := ada()
	p.Session.CreatedAt = time.Now().In(time.FixedZone("elsewhere", 3600)) // with a monotonic reading
	got, err := store.Unpack(store.Pack(p))
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Session; s.CreatedAt != p.Session.CreatedAt.Round(0).UTC() || s.ExpiresAt != p.Session.ExpiresAt {
		t.Errorf("got %v and %v, want %v and %v", s.CreatedAt, s.ExpiresAt, p.Session.CreatedAt.UTC(), p.Session.ExpiresAt)
	}
	if got.User.BanExpires != (time.Time{}) {
		t.Errorf("no time came back as %v", got.User.BanExpires)
	}
}

// TestPlain: gate.Headers.Value must write every text of a plain principal as it is, and one that it would not makes the
// principal not plain.
func TestPlain(t *testing.T) {
	headers, err := gate.NewHeaders(gate.HeadersConfig{})
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{"", " ", "a b", " a", "a ", "%", "caf\u00e9", "a\x7f", "~", "\x1f", "\xff", "!", strings.Repeat("x", 100) + "\n", "a%2Fb"}
	for c := range 256 {
		for at := range 17 { // wherever the byte lies in a word
			text := []byte("abcdefgh01234567X")
			text[at] = byte(c)
			texts = append(texts, string(text))
		}
	}
	places := map[string]func(p *gate.Principal, text string){
		"session id":          func(p *gate.Principal, s string) { p.Session.ID = s },
		"active organization": func(p *gate.Principal, s string) { p.Session.ActiveOrganization = s },
		"active team":         func(p *gate.Principal, s string) { p.Session.ActiveTeam = s },
		"impersonated by":     func(p *gate.Principal, s string) { p.Session.ImpersonatedBy = s },
		"user id":             func(p *gate.Principal, s string) { p.User.ID = s },
		"name":                func(p *gate.Principal, s string) { p.User.Name = s },
		"email":               func(p *gate.Principal, s string) { p.User.Email = s },
		"roles":               func(p *gate.Principal, s string) { p.User.Roles = gate.Roles(s) },
		"organization":        func(p *gate.Principal, s string) { p.Memberships[0].OrganizationID = s },
		"slug":                func(p *gate.Principal, s string) { p.Memberships[0].Slug = s },
		"organization's name": func(p *gate.Principal, s string) { p.Memberships[0].Name = s },
		"organization roles":  func(p *gate.Principal, s string) { p.Memberships[0].Roles = gate.Roles(s) },
		"team":                func(p *gate.Principal, s string) { p.Memberships[0].Teams = []string{"t", s} },
	}
	for where, put := range places {
		for _, text := range texts {
			for _, claim := range []bool{false, true} { // what the principal says of itself does not count
				p := ada()
				put(p, text)
				p.Plain = claim
				got, err := store.Unpack(store.Pack(p))
				if err != nil {
					t.Fatalf("%s %q: %v", where, text, err)
				}
				if want := headers.Value(text) == text; got.Plain != want {
					t.Errorf("%s %q: plain is %v, want %v", where, text, got.Plain, want)
				}
			}
		}
	}
}

func TestUnpackRefuses(t *testing.T) {
	good := store.Pack(ada())
	for i := range good {
		if p, err := store.Unpack(good[:i]); err == nil {
			t.Errorf("the first %d bytes of %d are read as %+v", i, len(good), p)
		}
	}
	flags := func(flags byte, packed string) string { return packed[:1] + string(flags) + packed[2:] }
	rude := ada()
	rude.User.Name = "Ada\r\nX-User-Role: admin"
	spaced := ada()
	spaced.User.Name = " Ada"
	huge := good[:26] + "\xff\xff\xff\x7f" + good[27:] // memberships
	for it, packed := range map[string]string{
		"more":                   good + "x",
		"another version":        "\x02" + good[1:],
		"an unknown flag":        flags(0x80, good),
		"plain, and it is not":   flags(good[1], store.Pack(rude)),
		"plain, and has a space": flags(good[1], store.Pack(spaced)),
		"many memberships":       huge,
		"nanoseconds":            good[:10] + "\xff\xff\xff\xff" + good[14:],
	} {
		if p, err := store.Unpack(packed); err == nil || p != nil {
			t.Errorf("%s: %+v, %v", it, p, err)
		} else if strings.Contains(err.Error(), "Ada") {
			t.Errorf("%s: the error tells what was packed: %v", it, err)
		}
	}
	if n := testing.AllocsPerRun(10, func() { _, _ = store.Unpack(huge) }); n != 0 {
		t.Errorf("room was made for memberships that are not there: %v allocations", n)
	}
}

func TestUnpackAllocates(t *testing.T) {
	for n, want := range map[int]float64{0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 100: 2} {
		p := ada()
		p.Memberships = nil
		for i := range n {
			p.Memberships = append(p.Memberships, gate.Membership{OrganizationID: fmt.Sprint(i)})
		}
		packed := store.Pack(p)
		if got := testing.AllocsPerRun(100, func() { _, _ = store.Unpack(packed) }); got != want {
			t.Errorf("%d memberships: %v allocations, want %v", n, got, want)
		}
	}
}

// anybody draws principals of every shape, also such as no store answers with.
func anybody(t *rapid.T) *gate.Principal {
	text := rapid.OneOf(rapid.SampledFrom([]string{"", "o1", "o2", "Ada Lovelace", "a%", " "}), rapid.String(),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.StringOfN(rapid.RuneFrom([]rune("abc ")), 0, 300, -1))
	roles := rapid.Map(text, func(s string) gate.Roles { return gate.Roles(s) })
	moment := rapid.OneOf(rapid.Just(time.Time{}), rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(math.MinInt64/4, math.MaxInt64/4).Draw(t, "seconds"), rapid.Int64Range(0, 999999999).Draw(t, "nanoseconds")).UTC()
	}))
	p := &gate.Principal{
		Session: gate.Session{
			ID: text.Draw(t, "session"), CreatedAt: moment.Draw(t, "created"), ExpiresAt: moment.Draw(t, "expires"),
			ActiveOrganization: text.Draw(t, "active"), ActiveTeam: text.Draw(t, "team"), ImpersonatedBy: text.Draw(t, "admin"),
		},
		User: gate.User{
			ID: text.Draw(t, "user"), Name: text.Draw(t, "name"), Email: text.Draw(t, "email"), Roles: roles.Draw(t, "roles"),
			EmailVerified: rapid.Bool().Draw(t, "verified"), Banned: rapid.Bool().Draw(t, "banned"), BanExpires: moment.Draw(t, "ban"),
			BusinessID: text.Draw(t, "business user"),
		},
	}
	for range rapid.IntRange(0, 6).Draw(t, "memberships") {
		p.Memberships = append(p.Memberships, gate.Membership{
			OrganizationID: text.Draw(t, "organization"), Slug: text.Draw(t, "slug"), Name: text.Draw(t, "title"), Roles: roles.Draw(t, "role"),
			BusinessID: text.Draw(t, "business organization"),
			Teams: rapid.Custom(func(t *rapid.T) []string {
				if teams := rapid.SliceOfN(text, 0, 4).Draw(t, "teams"); len(teams) > 0 {
					return teams
				}
				return nil
			}).Draw(t, "teams"),
		})
	}
	return p
}

func TestAnybodyComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anybody(t)
		packed := store.Pack(p)
		got, err := store.Unpack(packed)
		if err != nil {
			t.Fatal(err)
		}
		p.Plain = got.Plain // TestPlain
		if diff := cmp.Diff(p, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if again := store.Pack(got); again != packed {
			t.Errorf("packed again: %q, was %q", again, packed)
		}
		if appended := store.AppendPacked([]byte("before"), p); string(appended) != "before"+packed {
			t.Errorf("appended: %q, want %q", appended, packed)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add(store.Pack(ada()))
	f.Add(store.Pack(new(gate.Principal)))
	teams := ada()
	teams.User.Name, teams.User.BanExpires = "Ärger", time.Unix(1, 1)
	teams.Memberships = append(teams.Memberships, gate.Membership{OrganizationID: "o2", Teams: []string{"t1", "t2"}})
	f.Add(store.Pack(teams))
	headers, err := gate.NewHeaders(gate.HeadersConfig{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, packed string) {
		p, err := store.Unpack(packed)
		if (err == nil) != (p != nil) {
			t.Fatalf("%+v, %v", p, err)
		}
		if err != nil {
			return
		}
		// Whatever was read is what it says when it is packed by us.
		again, err := store.Unpack(store.Pack(p))
		if err != nil {
			t.Fatal(err)
		}
		if p.Plain && !again.Plain {
			t.Errorf("not plain: %+v", p)
		}
		p.Plain = again.Plain
		if diff := cmp.Diff(p, again); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if again.Plain && headers.Value(p.User.Name) != p.User.Name {
			t.Errorf("not plain: %q", p.User.Name)
		}
	})
}

func BenchmarkUnpack(b *testing.B) {
	packed := store.Pack(ada())
	b.ReportMetric(float64(len(packed)), "B/principal")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := store.Unpack(packed); err != nil {
			b.Fatal(err)
		}
	}
}
