package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/internal/testenv"
)

// Types are named without asking for them, but for those that are not PostgreSQL's own.
func TestCatalogNamesTypesAndSchemas(t *testing.T) {
	url := testenv.Postgres(t).NewDatabase(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `
		create schema "My ""own""";
		create domain "My ""own""".address as varchar(200) check (value like '%@%');
		create domain "My ""own""".narrow as "My ""own""".address;
		create type "My ""own""".mood as enum ('sad', 'happy');
		create table "My ""own"""."user" ("id" uuid not null, "name" text, "email" "My ""own""".address, "image" "My ""own""".narrow,
			"role" "My ""own""".mood, "emailVerified" boolean not null default false, "createdAt" timestamptz, "updatedAt" timestamp,
			"banExpires" date, "number" bigint generated always as identity, "small" smallint, "middle" int, "tags" text[], "more" jsonb,
			"data" json, "fixed" char(3), "amount" numeric,
			" a ""name""  {with}, all\" text, "gone" text);
		alter table "My ""own"""."user" drop column "gone";
		create table public."session" ("id" text)`)
	if err != nil {
		t.Fatal(err)
	}
	for what, db := range map[string]querier{"prepared": conn, "in one round trip": once{conn}} {
		c, err := readCatalog(t.Context(), db, betterauth.Tables{Schema: `My "own"`})
		if err != nil {
			t.Fatal(err)
		}
		if c.schemas["user"] != `My "own"` || c.Elsewhere["session"] != "public" {
			t.Errorf("%s: schemas %q, elsewhere %q", what, c.schemas, c.Elsewhere)
		}
		if n := len(c.Tables["user"].Columns); n != 18 {
			t.Errorf("%s: %d columns", what, n)
		}
		for column, want := range map[string]betterauth.CatalogColumn{
			"id": {Type: "uuid", NotNull: true}, "name": {Type: "text"}, "email": {Type: "varchar"}, "role": {Type: "mood"},
			"emailVerified": {Type: "bool", NotNull: true, Default: true}, "createdAt": {Type: "timestamptz"}, "updatedAt": {Type: "timestamp"},
			"banExpires": {Type: "date"}, "number": {Type: "int8", NotNull: true, Default: true}, "small": {Type: "int2"}, "middle": {Type: "int4"},
			"tags": {Type: "_text"}, "more": {Type: "jsonb"}, "data": {Type: "json"}, "fixed": {Type: "bpchar"}, "amount": {Type: "numeric"},
			"image": {Type: "address"}, ` a "name"  {with}, all\`: {Type: "text"},
		} {
			if got := c.Tables["user"].Columns[column]; got != want {
				t.Errorf("%s: %s is %+v, want %+v", what, column, got, want)
			}
		}
	}
}
