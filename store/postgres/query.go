package postgres

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
)

// queries are the SELECTs of one database: one row for each membership, oldest first, or one row without. The columns are
// those of the type row; what the database has not is a constant.
//
// Ids and other texts may be of any type that has a text form (uuid, integer, varchar, enums), so they are cast.
type queries struct {
	session  string // by token; empty where there are no sessions
	sessions string // by several tokens at once; empty where the column's type has no array that is compared as text
	person   string // by user id
	idKind   string // the type of user ids
}

func newQueries(c *catalog, n *betterauth.Names, withoutSessions bool) (queries, error) {
	q := &query{catalog: c, names: n}
	made := queries{person: q.person(), idKind: q.kind("user", "id")}
	if !withoutSessions {
		token := q.column("s", "session", "token")
		made.session = q.session(token+" = $1", store.MaxMemberships)
		if kind := q.kind("session", "token"); kind == "text" || kind == "varchar" {
			made.sessions = q.session(token+" = any($1::text[])", mostRows)
		}
	}
	return made, q.err
}

// session is the query that resolves tokens.
func (q *query) session(condition string, limit int) string {
	token := q.column("s", "session", "token")
	if kind := q.kind("session", "token"); !isText(kind) {
		q.fail("session", "token", kind)
	}
	return q.write([]string{
		token + "::text",
		q.text("s", "session", "id"),
		q.instant("s", "session", "createdAt"),
		q.instant("s", "session", "expiresAt"),
		q.text("s", "session", "activeOrganizationId"),
		q.text("s", "session", "activeTeamId"),
		q.text("s", "session", "impersonatedBy"),
	}, []string{
		"from " + q.table("session") + " s",
		"left join " + q.table("user") + " u on " + q.same("u", "user", "id", "s", "session", "userId"),
	}, condition, limit)
}

// person is the query that finds a user and what he belongs to. His id stands where the other has the token.
func (q *query) person() string {
	id := q.column("u", "user", "id")
	condition := id + " = $1"
	switch kind := q.kind("user", "id"); {
	case slices.Contains([]string{"uuid", "int2", "int4", "int8"}, kind):
		condition = id + " = $1::text::" + kind // no other text gets here: queries.holds
	case !isText(kind):
		condition = id + "::text = $1"
	}
	return q.write([]string{id + "::text", "''", "null::timestamptz", "null::timestamptz", "''", "''", "''"},
		[]string{"from " + q.table("user") + " u"}, condition, store.MaxMemberships)
}

func isText(kind string) bool {
	return slices.Contains([]string{"text", "varchar", "bpchar", "citext"}, kind)
}

// write completes what is said of the session by user and memberships.
func (q *query) write(selected, from []string, condition string, limit int) string {
	n := q.names
	selected = append(selected,
		q.text("u", "user", "id"),
		q.text("u", "user", "name"),
		q.text("u", "user", "email"),
		q.flag("u", "user", "emailVerified"),
		q.text("u", "user", "role"),
		q.flag("u", "user", "banned"),
		q.instant("u", "user", "banExpires"))
	order := ""
	if n.Organizations {
		selected = append(selected, q.text("o", "organization", "id"), q.text("o", "organization", "slug"),
			q.text("o", "organization", "name"), q.text("m", "member", "role"))
		from = append(from,
			"left join "+q.table("member")+" m on "+q.same("m", "member", "userId", "u", "user", "id"),
			"left join "+q.table("organization")+" o on "+q.same("o", "organization", "id", "m", "member", "organizationId"))
		order = "\norder by " + q.column("m", "member", "createdAt") + ", " + q.column("m", "member", "id")
	} else {
		selected = append(selected, "''", "''", "''", "''")
	}
	selected = append(selected, q.teams())
	return "select " + strings.Join(selected, ",\n  ") + "\n" + strings.Join(from, "\n") +
		"\nwhere " + condition + order + fmt.Sprintf("\nlimit %d", limit)
}

// query collects what is found wrong while the queries are written.
type query struct {
	catalog *catalog
	names   *betterauth.Names
	err     error
}

// teams is the list of the user's teams within one membership's organization.
func (q *query) teams() string {
	if !q.names.Teams {
		return "null::text[]"
	}
	return "array(select " + q.column("t", "team", "id") + "::text from " + q.table("teamMember") + " tm join " + q.table("team") + " t on " +
		q.same("t", "team", "id", "tm", "teamMember", "teamId") +
		" where " + q.same("tm", "teamMember", "userId", "m", "member", "userId") +
		" and " + q.same("t", "team", "organizationId", "m", "member", "organizationId") +
		" order by " + q.column("t", "team", "id") + fmt.Sprintf(" limit %d)", store.MaxMemberships)
}

// table qualifies the name with the schema in which it was found, so that a pooler's search path cannot change it.
func (q *query) table(model string) string {
	name := q.names.Table(model)
	return pgx.Identifier{q.catalog.schemas[name], name}.Sanitize()
}

func (q *query) column(alias, model, field string) string {
	return alias + "." + pgx.Identifier{q.names.Column(model, field)}.Sanitize()
}

func (q *query) kind(model, field string) string {
	return q.catalog.Tables[q.names.Table(model)].Columns[q.names.Column(model, field)].Type
}

func (q *query) text(alias, model, field string) string {
	if !q.names.Has(model, field) {
		return "''"
	}
	return "coalesce(" + q.column(alias, model, field) + "::text, '')"
}

func (q *query) flag(alias, model, field string) string {
	if !q.names.Has(model, field) {
		return "false"
	}
	column := q.column(alias, model, field)
	switch kind := q.kind(model, field); kind {
	case "bool":
	case "int2", "int4", "int8", "numeric", "text", "varchar":
		column += "::text::boolean" // 0, 1, true, false
	default:
		q.fail(model, field, kind)
	}
	return "coalesce(" + column + ", false)"
}

func (q *query) instant(alias, model, field string) string {
	if !q.names.Has(model, field) {
		return "null::timestamptz"
	}
	column := q.column(alias, model, field)
	switch kind := q.kind(model, field); kind {
	case "timestamptz":
	case "timestamp":
		column = "(" + column + " at time zone '" + q.names.TimeZone + "')" // Tables.Validate admits no quote in it
	default:
		q.fail(model, field, kind)
	}
	return column
}

// same compares two ids. Where one column is, say, uuid and the other text, only their text forms compare.
func (q *query) same(alias, model, field, otherAlias, otherModel, otherField string) string {
	one, other := q.column(alias, model, field), q.column(otherAlias, otherModel, otherField)
	if q.kind(model, field) != q.kind(otherModel, otherField) {
		return one + "::text = " + other + "::text"
	}
	return one + " = " + other
}

func (q *query) fail(model, field, kind string) {
	q.err = errors.Join(q.err, fmt.Errorf("column %q of table %q is of type %s, which Better Auth does not use for it",
		q.names.Column(model, field), q.names.Table(model), kind))
}
