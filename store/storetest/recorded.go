package storetest

import (
	"cmp"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
)

// recorded are rows as Better Auth wrote them: four people, two organizations, three teams.
type recorded struct {
	Rows map[string][]row
}

// recordedRows compares with principals that are put together here from the same rows, without SQL.
func recordedRows(t *testing.T, h Harness) {
	name := map[betterauth.Dialect]string{betterauth.Postgres: "postgres", betterauth.SQLite: "sqlite"}[h.Dialect]
	text, err := testdata.ReadFile("testdata/seed-" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var seed recorded
	if err := json.Unmarshal(text, &seed); err != nil {
		t.Fatal(err)
	}
	h.Exec(t, h.Schema(t, "all-plugins"))
	for _, table := range []string{"user", "session", "organization", "team", "teamMember", "member"} {
		rows := seed.Rows[table]
		if len(rows) == 0 {
			t.Fatalf("no rows of %s", table)
		}
		for i := range rows {
			for column, value := range rows[i] {
				if number, ok := value.(float64); ok {
					rows[i][column] = int(number)
				}
			}
		}
		h.insert(t, table, rows...)
	}
	s := h.open(t, betterauth.Tables{})
	for _, session := range seed.Rows["session"] {
		same(t, resolve(t, s, session["token"].(string)), seed.principal(session))
	}
	nobody(t, s, "CfGKi167y3hW3FhSqs998axwsNhZgpBx")
}

func (f recorded) principal(session row) *gate.Principal {
	u := f.row("user", "id", session["userId"])
	p := &gate.Principal{
		Session: gate.Session{
			ID: session.text("id"), CreatedAt: session.time("createdAt"), ExpiresAt: session.time("expiresAt"),
			ActiveOrganization: session.text("activeOrganizationId"), ActiveTeam: session.text("activeTeamId"),
		},
		User: gate.User{ID: u.text("id"), Name: u.text("name"), Email: u.text("email"), Roles: gate.Roles(u.text("role"))},
	}
	members := slices.Clone(f.Rows["member"])
	slices.SortFunc(members, func(a, b row) int {
		return cmp.Compare(a.time("createdAt").UnixMilli(), b.time("createdAt").UnixMilli())
	})
	for _, m := range members {
		if m.text("userId") != p.User.ID {
			continue
		}
		o := f.row("organization", "id", m["organizationId"])
		membership := gate.Membership{
			OrganizationID: o.text("id"), Slug: o.text("slug"), Name: o.text("name"), Roles: gate.Roles(m.text("role")),
		}
		for _, tm := range f.Rows["teamMember"] {
			team := f.row("team", "id", tm["teamId"])
			if tm.text("userId") == p.User.ID && team.text("organizationId") == o.text("id") {
				membership.Teams = append(membership.Teams, team.text("id"))
			}
		}
		slices.Sort(membership.Teams)
		p.Memberships = append(p.Memberships, membership)
	}
	return p
}

func (f recorded) row(table, column string, value any) row {
	for _, r := range f.Rows[table] {
		if r[column] == value {
			return r
		}
	}
	return nil
}

func (r row) text(column string) string {
	text, _ := r[column].(string)
	return text
}

func (r row) time(column string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, r.text(column))
	if err != nil {
		panic(err)
	}
	return at.UTC()
}
