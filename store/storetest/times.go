package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
)

// timeForm is one of the forms in which toolchains and versions store instants (better-auth-sessions.md, section 4.5).
type timeForm struct {
	name    string
	dialect betterauth.Dialect
	column  string // the type
	literal func(time.Time) raw
	tables  betterauth.Tables
	exact   time.Duration // what the form can tell apart
}

func timeForms() []timeForm {
	quoted := func(layout string, in *time.Location) func(time.Time) raw {
		return func(at time.Time) raw { return raw("'" + at.In(in).Format(layout) + "'") }
	}
	number := func(format string, unit time.Duration) func(time.Time) raw {
		return func(at time.Time) raw { return raw(fmt.Sprintf(format, float64(at.UnixMilli())*1e6/float64(unit))) }
	}
	seconds := func(at time.Time) raw { return raw(fmt.Sprint(at.Unix())) }
	newYork := time.FixedZone("EST", -5*3600) // all of these instants are in winter
	const iso, spaced = "2006-01-02T15:04:05.000Z07:00", "2006-01-02 15:04:05.000"
	return []timeForm{
		{"timestamptz", betterauth.Postgres, "timestamptz", quoted(iso, time.UTC), betterauth.Tables{}, time.Millisecond},
		{"timestamptz(3)", betterauth.Postgres, "timestamptz(3)", quoted(iso, newYork), betterauth.Tables{}, time.Millisecond},
		{"timestamp is UTC", betterauth.Postgres, "timestamp", quoted(spaced, time.UTC), betterauth.Tables{}, time.Millisecond},
		{"timestamp(3) is UTC", betterauth.Postgres, "timestamp(3)", quoted(spaced, time.UTC), betterauth.Tables{TimeZone: "UTC"}, time.Millisecond},
		{"timestamp in New York", betterauth.Postgres, "timestamp", quoted(spaced, newYork), betterauth.Tables{TimeZone: "America/New_York"}, time.Millisecond},
		{"ISO text", betterauth.SQLite, "date", quoted(iso, time.UTC), betterauth.Tables{}, time.Millisecond},
		{"ISO text in a text column", betterauth.SQLite, "text", quoted(iso, time.UTC), betterauth.Tables{}, time.Millisecond},
		{"ISO text with an offset", betterauth.SQLite, "text", quoted(iso, newYork), betterauth.Tables{}, time.Millisecond},
		{"SQLite's own text", betterauth.SQLite, "datetime", quoted("2006-01-02 15:04:05", time.UTC), betterauth.Tables{}, time.Second},
		{"SQLite's own text with milliseconds", betterauth.SQLite, "timestamp", quoted(spaced, time.UTC), betterauth.Tables{}, time.Millisecond},
		{"integer milliseconds", betterauth.SQLite, "integer", number("%.0f", time.Millisecond), betterauth.Tables{}, time.Millisecond},
		{"integer milliseconds in a date column", betterauth.SQLite, "date", number("%.0f", time.Millisecond), betterauth.Tables{}, time.Millisecond},
		{"integer milliseconds in a timestamp column", betterauth.SQLite, "timestamp", number("%.0f", time.Millisecond), betterauth.Tables{}, time.Millisecond},
		{"integer seconds", betterauth.SQLite, "integer", seconds, betterauth.Tables{}, time.Second},
		{"integer seconds in a datetime column", betterauth.SQLite, "datetime", seconds, betterauth.Tables{}, time.Second},
		{"real milliseconds", betterauth.SQLite, "real", number("%.1f", time.Millisecond), betterauth.Tables{}, time.Millisecond},
		{"real seconds", betterauth.SQLite, "real", number("%.3f", time.Second), betterauth.Tables{}, time.Millisecond},
		{"milliseconds as text", betterauth.SQLite, "text", func(at time.Time) raw { return raw(fmt.Sprintf("'%d'", at.UnixMilli())) }, betterauth.Tables{}, time.Millisecond},
	}
}

func (f timeForm) test(t *testing.T, h Harness) {
	schema := h.Schema(t, "all-plugins")
	for _, was := range []string{"timestamptz", "date"} {
		for _, column := range []string{"createdAt", "expiresAt", "banExpires"} {
			schema = strings.ReplaceAll(schema, `"`+column+`" `+was, `"`+column+`" `+f.column)
		}
	}
	h.Exec(t, schema)
	first, second := start(), start().Add(26*time.Hour)
	h.insert(t, "user", user("u1").with(row{"banned": true, "banExpires": f.literal(second), "createdAt": f.literal(first)}))
	h.insert(t, "session", session("s1", "u1").with(row{"createdAt": f.literal(first), "expiresAt": f.literal(end())}))
	h.insert(t, "organization", organization("o1").with(row{"createdAt": f.literal(first)}), organization("o2").with(row{"createdAt": f.literal(first)}))
	h.insert(t, "member",
		member("m1", "o1", "u1", "member", 0).with(row{"createdAt": f.literal(second)}),
		member("m2", "o2", "u1", "owner", 0).with(row{"createdAt": f.literal(first)}))

	want := principal("s1", "u1")
	want.Session.CreatedAt, want.Session.ExpiresAt = first.Truncate(f.exact), end().Truncate(f.exact)
	want.User.Banned, want.User.BanExpires = true, second.Truncate(f.exact)
	want.Memberships = []gate.Membership{
		{OrganizationID: "o2", Slug: "slug-o2", Name: "Organization o2", Roles: "owner"},
		{OrganizationID: "o1", Slug: "slug-o1", Name: "Organization o1", Roles: "member"},
	}
	got := resolve(t, h.open(t, f.tables), "s1")
	for _, at := range []*time.Time{&got.Session.CreatedAt, &got.Session.ExpiresAt, &got.User.BanExpires} {
		*at = at.Round(time.Millisecond).Truncate(f.exact) // a real is not exact
	}
	same(t, got, want)
}
