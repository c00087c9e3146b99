package postgres_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/postgres"
	"github.com/usherauth/usher/store/storetest"
)

// story is what happens in a database, and who has to hear of it. Names stand for the variant's: {session} a table,
// {session.userId} a column, <u1> an id. A step whose tables or columns a variant has not is left out.
func story() []step {
	const token = "tok☃'n"
	at := func(sql string) string { return strings.ReplaceAll(sql, "TOKEN", strings.ReplaceAll(token, "'", "''")) }
	session := "session:" + token
	return []step{
		{`insert into {user} ({user.id}, {user.name}, {user.email}, {user.emailVerified}, {user.createdAt}, {user.updatedAt}) values ('<u1>', 'A', 'a@x', true, now(), now()), ('<u2>', 'B', 'b@x', true, now(), now())`, "user:<u1> user:<u2>"},
		{at(`insert into {session} ({session.id}, {session.token}, {session.userId}, {session.expiresAt}, {session.createdAt}, {session.updatedAt}) values ('<s1>', 'TOKEN', '<u1>', now() + interval '1 day', now(), now())`), session},
		{`update {session} set {session.updatedAt} = now() + interval '1 minute', {session.expiresAt} = {session.expiresAt} + interval '1 hour'`, ""},
		{`update {session} set {session.ipAddress} = '1.2.3.4', {session.userAgent} = 'curl'`, ""},
		{`update {session} set {session.expiresAt} = {session.expiresAt}`, ""},
		{`update {session} set {session.expiresAt} = {session.expiresAt} - interval '1 second'`, session},
		{`update {session} set {session.createdAt} = {session.createdAt} - interval '1 second'`, session},
		{`update {session} set {session.userId} = '<u2>'`, session},
		{`update {session} set {session.userId} = '<u1>'`, session},
		{`update {session} set {session.token} = 'other'`, session + " session:other"},
		{at(`update {session} set {session.token} = 'TOKEN'`), session + " session:other"},
		{`update {session} set {session.id} = '<s2>'`, session},
		{`update {session} set {session.activeOrganizationId} = '<o1>'`, session},
		{`update {session} set {session.activeOrganizationId} = '<o1>'`, ""},
		{`update {session} set {session.activeOrganizationId} = null`, session},
		{`update {session} set {session.activeTeamId} = '<t1>'`, session},
		{`update {session} set {session.impersonatedBy} = '<u2>'`, session},

		{`update {user} set {user.name} = 'a'`, "user:<u1> user:<u2>"},
		{`update {user} set {user.name} = 'a', {user.image} = 'x', {user.updatedAt} = now()`, ""},
		{`update {user} set {user.email} = 'A@x' where {user.id} = '<u1>'`, "user:<u1>"},
		{`update {user} set {user.emailVerified} = false where {user.id} = '<u1>'`, "user:<u1>"},
		{`update {user} set {user.role} = 'admin' where {user.id} = '<u1>'`, "user:<u1>"},
		{`update {user} set {user.banned} = true where {user.id} = '<u1>'`, "user:<u1>"},
		{`update {user} set {user.banReason} = 'spam' where {user.id} = '<u1>'`, ""},
		{`update {user} set {user.banExpires} = now() where {user.id} = '<u1>'`, "user:<u1>"},
		{`update {user} set {user.id} = '<u3>' where {user.id} = '<u2>'`, "user:<u2> user:<u3>"},
		{`update {user} set {user.id} = '<u2>' where {user.id} = '<u3>'`, "user:<u2> user:<u3>"},

		{`insert into {organization} ({organization.id}, {organization.name}, {organization.slug}, {organization.createdAt}) values ('<o1>', 'O', 'o', now()), ('<o2>', 'P', 'p', now())`, ""},
		{`insert into {member} ({member.id}, {member.userId}, {member.organizationId}, {member.role}, {member.createdAt}) values ('<m1>', '<u1>', '<o1>', 'member', now())`, "user:<u1>"},
		{`update {member} set {member.role} = 'owner'`, "user:<u1>"},
		{`update {member} set {member.role} = 'owner'`, ""},
		{`update {member} set {member.userId} = '<u2>'`, "user:<u1> user:<u2>"},
		{`update {member} set {member.organizationId} = '<o2>'`, "user:<u2>"},
		{`update {member} set {member.createdAt} = {member.createdAt} - interval '1 day'`, "user:<u2>"},
		{`update {organization} set {organization.name} = 'Q' where {organization.id} = '<o1>'`, "organization:<o1>"},
		{`update {organization} set {organization.slug} = 'q' where {organization.id} = '<o1>'`, "organization:<o1>"},
		{`update {organization} set {organization.logo} = 'q', {organization.metadata} = '{}'`, ""},
		{`update {organization} set {organization.id} = '<o3>' where {organization.id} = '<o1>'`, "organization:<o1> organization:<o3>"},
		{`insert into {team} ({team.id}, {team.name}, {team.memberCount}, {team.organizationId}, {team.createdAt}) values ('<t1>', 'T', 1, '<o2>', now()), ('<t2>', 'U', 1, '<o2>', now())`, ""},
		{`insert into {teamMember} ({teamMember.id}, {teamMember.userId}, {teamMember.teamId}) values ('<x1>', '<u1>', '<t1>')`, "user:<u1>"},
		{`update {teamMember} set {teamMember.teamId} = '<t2>'`, "user:<u1>"},
		{`update {teamMember} set {teamMember.userId} = '<u2>'`, "user:<u1> user:<u2>"},
		{`update {team} set {team.name} = 'V', {team.memberCount} = 2`, ""},
		{`update {team} set {team.organizationId} = '<o3>' where {team.id} = '<t2>'`, "organization:<o2> organization:<o3>"},
		{`delete from {team} where {team.id} = '<t1>'`, "organization:<o2>"},
		{`delete from {teamMember}`, "user:<u2>"},
		{`delete from {member}`, "user:<u2>"},
		{`delete from {organization} where {organization.id} = '<o2>'`, "organization:<o2>"},

		{`update {session} set {session.expiresAt} = now() - interval '2 hours'`, session},
		{`delete from {session}`, ""}, // it ended long ago: nobody was admitted with it
		{at(`insert into {session} ({session.id}, {session.token}, {session.userId}, {session.expiresAt}, {session.createdAt}, {session.updatedAt}) values ('<s1>', 'TOKEN', '<u1>', now() - interval '10 seconds', now(), now())`), session},
		{`delete from {session}`, session}, // by a clock that is a little late, somebody may be
		{at(`insert into {session} ({session.id}, {session.token}, {session.userId}, {session.expiresAt}, {session.createdAt}, {session.updatedAt}) values ('<s1>', 'TOKEN', '<u1>', now() + interval '1 day', now(), now())`), session},
		{`delete from {session}`, session},
		{`delete from {user} where {user.id} = '<u1>'`, "user:<u1>"},
		{`begin; insert into {user} ({user.id}, {user.name}, {user.email}, {user.emailVerified}, {user.createdAt}, {user.updatedAt}) values ('<u1>', 'A', 'c@x', true, now(), now()); rollback`, ""},
		{`truncate {session} cascade`, "*"},
		{`truncate {user} cascade`, "*"},
		{`truncate {member} cascade`, "*"},
		{`truncate {organization} cascade`, "*"},
		{`truncate {team} cascade`, "*"},
		{`truncate {teamMember} cascade`, "*"},
	}
}

type step struct{ sql, want string }

var placeholder = regexp.MustCompile(`\{(\w+)(?:\.(\w+))?\}|<(\w)(\d)>`)

// variant is a database as some application has it.
type variant struct {
	tables  betterauth.Tables
	schema  string // recorded; empty: our own DDL
	lacks   string // words: tables, and columns as table.column
	id      func(kind string, number string) string
	prepare string
}

func variants() map[string]variant {
	plain := func(kind, number string) string { return kind + number }
	serial := func(kind, number string) string { return fmt.Sprint(int(kind[0])*10) + number }
	uuid := func(kind, number string) string {
		return fmt.Sprintf("00000000-0000-4000-8000-0000000%05x", int(kind[0])*16+int(number[0]))
	}
	admin := " user.role user.banned user.banReason user.banExpires session.impersonatedBy"
	return map[string]variant{
		"own names":             {id: plain},
		"snake_case and plural": {id: plain, tables: betterauth.Tables{UsePlural: true, Preset: betterauth.SnakeCase}},
		"another schema, quotes": {id: plain, prepare: `create schema "a""uth $usher$"`, tables: betterauth.Tables{
			Schema: `a"uth $usher$`, TimeZone: "Europe/Berlin",
			Models: map[string]betterauth.Rename{"session": {ModelName: strings.Repeat("long", 15), Fields: map[string]string{"token": `to"ken $usher$`, "userId": "user"}}},
		}},
		"uuid ids":             {id: uuid, schema: "uuid-ids", lacks: admin},
		"serial ids":           {id: serial, schema: "serial-ids", lacks: admin},
		"all plugins":          {id: plain, schema: "all-plugins"},
		"core":                 {id: plain, schema: "core", lacks: "organization member team teamMember session.activeOrganizationId session.activeTeamId" + admin},
		"without teams":        {id: plain, schema: "organization-no-teams", lacks: "team teamMember session.activeTeamId" + admin},
		"oldest":               {id: plain, schema: "1.3.34", lacks: "team teamMember session.activeTeamId"},
		"timestamps of a zone": {id: plain, prepare: "timestamps", tables: betterauth.Tables{TimeZone: "America/New_York"}},
		"renamed": {id: plain, schema: "snake-case-renamed", lacks: "team teamMember session.activeTeamId" + admin, tables: betterauth.Tables{Models: map[string]betterauth.Rename{
			"user": {ModelName: "users"}, "session": {ModelName: "user_sessions"}, "organization": {ModelName: "organizations"}, "member": {ModelName: "organization_members"},
		}}},
	}
}

// fill writes SQL in the words of the variant, or reports that it has not what is spoken of.
func (v variant) fill(names *betterauth.Names, text string) (string, bool) {
	has := true
	filled := placeholder.ReplaceAllStringFunc(text, func(match string) string {
		m := placeholder.FindStringSubmatch(match)
		lacks := " " + v.lacks + " "
		switch {
		case m[3] != "":
			return v.id(m[3], m[4])
		case strings.Contains(lacks, " "+m[1]+" ") || m[2] != "" && strings.Contains(lacks, " "+m[1]+"."+m[2]+" "):
			has = false
			return ""
		case m[2] != "":
			return quoted(names.Column(m[1], m[2]))
		case v.tables.Schema != "":
			return quoted(v.tables.Schema) + "." + quoted(names.Table(m[1]))
		default:
			return quoted(names.Table(m[1]))
		}
	})
	return filled, has
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// TestEveryChangeIsTold: exactly the right people hear of what happens, whatever the tables are called.
func TestEveryChangeIsTold(t *testing.T) {
	t.Parallel()
	for name, v := range variants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := postgres.Config{URL: testenv.Postgres(t).NewDatabase(t), Tables: v.tables}
			names, err := v.tables.Match(betterauth.Catalog{})
			if err != nil {
				t.Fatal(err)
			}
			v.make(t, c)
			if strings.HasPrefix(v.schema, "snake") { // its columns are found by looking
				names = snakeNames(t)
			}
			_, e := watch(t, c)
			conn := connect(t, c.URL)
			defer conn.Close(t.Context())
			told := 0
			for _, s := range story() {
				sql, has := v.fill(names, s.sql)
				if !has {
					continue
				}
				want, _ := v.fill(names, s.want)
				if _, err := conn.Exec(t.Context(), sql).ReadAll(); err != nil {
					t.Fatalf("%s: %v", sql, err)
				}
				e.demand(t, conn, sql, strings.Fields(want)...)
				told++
			}
			if told < 25 {
				t.Errorf("only %d steps", told)
			}
		})
	}
}

// make makes the tables, without foreign keys so that each row can be changed alone.
func (v variant) make(t *testing.T, c postgres.Config) {
	t.Helper()
	if v.prepare != "" && v.prepare != "timestamps" {
		execute(t, c.URL, v.prepare)
	}
	if v.schema != "" {
		execute(t, c.URL, storetest.Harness{Dialect: betterauth.Postgres}.Schema(t, v.schema))
	} else {
		apply(t, c, allPlugins(), false)
	}
	execute(t, c.URL, `do $$ declare r record; begin
		for r in select conrelid::regclass as rel, conname from pg_constraint where contype = 'f' loop
			execute format('alter table %s drop constraint %I', r.rel, r.conname);
		end loop; end $$`)
	if v.prepare == "timestamps" {
		execute(t, c.URL, `alter table "session" alter "expiresAt" type timestamp, alter "createdAt" type timestamp;
			alter database `+c.URL[strings.LastIndexByte(c.URL, '/')+1:strings.IndexByte(c.URL, '?')]+` set timezone = 'America/New_York'`)
	}
}

// snakeNames are those of the recorded schema that renames most columns.
func snakeNames(t *testing.T) *betterauth.Names {
	t.Helper()
	tables := variants()["renamed"].tables
	tables.Preset = betterauth.SnakeCase
	tables.Models["organization"] = betterauth.Rename{ModelName: "organizations", Fields: map[string]string{"createdAt": "createdAt"}}
	names, err := tables.Match(betterauth.Catalog{})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
