package config

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// Tables is how the app renamed Better Auth's tables and columns. The plain word `tables: snake_case` is its preset.
type Tables struct {
	// `snake_case`: tables and columns as Drizzle makes them (`team_member`, `expires_at`). Empty: Better Auth's own names.
	Preset string `yaml:"preset" enum:",snake_case"`
	// Whether table names are plural (`users`), as the adapters' `usePlural` makes them.
	UsePlural bool `yaml:"use_plural"`
	// PostgreSQL schema of the tables. Empty: the connection's search path.
	Schema string `yaml:"schema"`
	// Zone of times in columns without one: UTC for Drizzle and Prisma; the app's own for hand-made schemas.
	TimeZone string `yaml:"time_zone"`

	User             Table `yaml:"user"`
	Session          Table `yaml:"session"`
	Account          Table `yaml:"account"`
	Verification     Table `yaml:"verification"`
	Organization     Table `yaml:"organization"`
	Member           Table `yaml:"member"`
	Invitation       Table `yaml:"invitation"`
	Team             Table `yaml:"team"`
	TeamMember       Table `yaml:"team_member"`
	OrganizationRole Table `yaml:"organization_role"`
	JWKS             Table `yaml:"jwks"`
	APIKey           Table `yaml:"apikey"`
	TwoFactor        Table `yaml:"two_factor"`
}

// Table is one renamed table.
type Table struct {
	// Name of the table (`modelName`). Empty: not renamed.
	ModelName string `yaml:"model_name"`
	// Renamed columns, by Better Auth's name of the field: `emailVerified: email_verified`.
	Fields map[string]string `yaml:"fields"`
}

// Model is a table by the name Better Auth's code gives it.
type Model struct {
	Name  string // user, teamMember, …
	Table Table

	key    string   // below better_auth.tables
	fields []string // that the model has
}

// Models lists all tables, renamed or not. A test compares them with package betterauth, which is asked only when
// everything else is known to be good, and knows no lines.
func (t *Tables) Models() []Model {
	model := func(name string, table Table, fields string) Model {
		return Model{name, table, snake(name), strings.Fields(fields)}
	}
	return []Model{
		model("user", t.User, "id name email emailVerified image createdAt updatedAt role banned banReason banExpires "+
			"twoFactorEnabled"),
		model("session", t.Session, "id expiresAt token createdAt updatedAt ipAddress userAgent userId "+
			"activeOrganizationId activeTeamId impersonatedBy"),
		model("account", t.Account, "id accountId providerId userId accessToken refreshToken idToken "+
			"accessTokenExpiresAt refreshTokenExpiresAt scope password createdAt updatedAt"),
		model("verification", t.Verification, "id identifier value expiresAt createdAt updatedAt"),
		model("organization", t.Organization, "id name slug logo createdAt metadata"),
		model("member", t.Member, "id organizationId userId role createdAt"),
		model("invitation", t.Invitation, "id organizationId email role teamId status expiresAt createdAt inviterId"),
		model("team", t.Team, "id name memberCount organizationId createdAt updatedAt"),
		model("teamMember", t.TeamMember, "id teamId userId membershipKey createdAt"),
		model("organizationRole", t.OrganizationRole, "id organizationId role permission createdAt updatedAt"),
		model("jwks", t.JWKS, "id publicKey privateKey createdAt expiresAt alg crv"),
		model("apikey", t.APIKey, "id configId name start referenceId prefix key refillInterval refillAmount lastRefillAt "+
			"enabled rateLimitEnabled rateLimitTimeWindow rateLimitMax requestCount remaining lastRequest expiresAt "+
			"createdAt updatedAt permissions metadata"),
		model("twoFactor", t.TwoFactor, "id secret backupCodes userId verified failedVerificationCount lockedUntil"),
	}
}

const presetWords = ",snake_case"

// read takes the word of a preset, or the section.
func (t *Tables) read(d *decoder, n *yaml.Node, path string) {
	if n.Kind == yaml.ScalarNode {
		if text, ok := d.text(n, path, "a section"); ok && d.word(n, path, text, presetWords) {
			t.Preset = text
		}
		return
	}
	d.section(n, valueOf(t), path)
}

func checkTables(t *Tables, f *findings) {
	const path = "better_auth.tables"
	if strings.Trim(t.TimeZone, zoneLetters) != "" { // whether there is such a zone only the database knows
		f.problem(path+".time_zone", "%s: write a zone's name, as UTC or Europe/Berlin", quoted(t.TimeZone))
	}
	for _, model := range t.Models() {
		at := path + "." + model.key + ".fields."
		columns := make(map[string]string)
		known := make(map[string]bool)
		for _, field := range model.fields {
			known[field], known[snake(field)] = true, true
		}
		for _, field := range sortedKeys(model.Table.Fields) {
			column := model.Table.Fields[field]
			switch {
			case !known[field]:
				f.problem(at+field, "Usher knows no such field of %s%s; leave out what your own plugins add", model.Name, didYouMean(field, model.fields))
			case column == "":
				f.problem(at+field, "has no column; write its name, or leave the field out")
			case columns[column] != "":
				f.problem(at+field, "column %s already holds %s", quoted(column), columns[column])
			}
			columns[column] = field
		}
	}
}

const zoneLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_/+-"
