package sqlite

import (
	"fmt"
	"strings"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
)

// queries are the SELECTs of one database: one row for each membership, or one row without. The columns are those of the
// type row; what the database has not is a constant.
//
// Ids are cast to text, whatever they are. The + before times and flags hides the column's declared type from the
// driver, which would otherwise guess at times itself. The || keeps SQLite from planning anew for every token, as it does
// for parameters of a database that was analyzed.
type queries struct {
	session string // by token; empty where there are no sessions
	person  string // by user id
}

func newQueries(n *betterauth.Names, withoutSessions bool) queries {
	q := query{n}
	all := queries{person: q.person()}
	if !withoutSessions {
		all.session = q.session()
	}
	return all
}

// session is the query that resolves a token.
func (q query) session() string {
	return q.write([]string{
		q.text("s", "session", "token"),
		q.text("s", "session", "id"),
		q.value("s", "session", "createdAt"),
		q.value("s", "session", "expiresAt"),
		q.text("s", "session", "activeOrganizationId"),
		q.text("s", "session", "activeTeamId"),
		q.text("s", "session", "impersonatedBy"),
	}, []string{
		"from " + q.table("session") + " s",
		"left join " + q.table("user") + " u on " + q.column("u", "user", "id") + " = " + q.column("s", "session", "userId"),
	}, q.column("s", "session", "token"))
}

// person is the query that finds a user and what he belongs to. His id stands where the other has the token.
func (q query) person() string {
	return q.write([]string{q.text("u", "user", "id"), "''", "null", "null", "''", "''", "''"},
		[]string{"from " + q.table("user") + " u"}, q.column("u", "user", "id"))
}

// write completes what is said of the session by user and memberships.
func (q query) write(selected, from []string, key string) string {
	n := q.names
	selected = append(selected,
		q.text("u", "user", "id"),
		q.text("u", "user", "name"),
		q.text("u", "user", "email"),
		q.value("u", "user", "emailVerified"),
		q.text("u", "user", "role"),
		q.value("u", "user", "banned"),
		q.value("u", "user", "banExpires"))
	order := ""
	if n.Organizations {
		selected = append(selected, q.text("o", "organization", "id"), q.text("o", "organization", "slug"),
			q.text("o", "organization", "name"), q.text("m", "member", "role"), q.value("m", "member", "createdAt"))
		from = append(from,
			"left join "+q.table("member")+" m on "+q.column("m", "member", "userId")+" = "+q.column("u", "user", "id"),
			"left join "+q.table("organization")+" o on "+q.column("o", "organization", "id")+" = "+q.column("m", "member", "organizationId"))
		order = "\norder by " + q.column("m", "member", "createdAt") + ", " + q.column("m", "member", "id")
	} else {
		selected = append(selected, "''", "''", "''", "''", "null")
	}
	selected = append(selected, q.teams())
	return "select " + strings.Join(selected, ",\n  ") + "\n" + strings.Join(from, "\n") +
		"\nwhere " + key + " = ?1 || ''" + order + fmt.Sprintf("\nlimit %d", store.MaxMemberships)
}

type query struct{ names *betterauth.Names }

// teams is the list of the user's teams within one membership's organization, as JSON.
func (q query) teams() string {
	if !q.names.Teams {
		return "'[]'"
	}
	return "(select json_group_array(id) from (select cast(" + q.column("t", "team", "id") + " as text) as id from " +
		q.table("teamMember") + " tm join " + q.table("team") + " t on " +
		q.column("t", "team", "id") + " = " + q.column("tm", "teamMember", "teamId") +
		" where " + q.column("tm", "teamMember", "userId") + " = " + q.column("m", "member", "userId") +
		" and " + q.column("t", "team", "organizationId") + " = " + q.column("m", "member", "organizationId") +
		" order by " + q.column("t", "team", "id") + fmt.Sprintf(" limit %d))", store.MaxMemberships)
}

func (q query) table(model string) string { return quote(q.names.Table(model)) }

func (q query) column(alias, model, field string) string {
	return alias + "." + quote(q.names.Column(model, field))
}

func (q query) text(alias, model, field string) string {
	if !q.names.Has(model, field) {
		return "''"
	}
	return "coalesce(cast(" + q.column(alias, model, field) + " as text), '')"
}

func (q query) value(alias, model, field string) string {
	if !q.names.Has(model, field) {
		return "null"
	}
	return "+" + q.column(alias, model, field)
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
