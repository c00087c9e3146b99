package betterauth

import "sync"

// The logical model: Better Auth's tables and columns as its own code names them (1.7.25), whatever an application calls
// them in its database. Names finds the physical ones, DDL makes them.

// Plugins says which of Better Auth's plugins an application uses, as far as they have tables or columns.
type Plugins struct {
	Organization bool // organization, member, invitation, the session's active organization
	Teams        bool // with Organization: team, teamMember, the session's active team
	DynamicRoles bool // with Organization: organizationRole
	Admin        bool // roles and bans of users, impersonation
	JWT          bool // jwks
	APIKey       bool // apikey
	TwoFactor    bool // twoFactor and the user's flag
}

// GatePlugins are the plugins whose tables and columns the gate reads. Better Auth's others bring their own.
func GatePlugins() Plugins { return Plugins{Organization: true, Teams: true, Admin: true} }

// plugin is what a table or column belongs to.
type plugin uint8

const (
	ofCore plugin = iota
	ofOrganization
	ofTeams
	ofDynamicRoles
	ofAdmin
	ofJWT
	ofAPIKey
	ofTwoFactor
)

func (p Plugins) uses(name plugin) bool {
	switch name {
	case ofCore:
		return true
	case ofOrganization:
		return p.Organization
	case ofTeams:
		return p.Organization && p.Teams
	case ofDynamicRoles:
		return p.Organization && p.DynamicRoles
	case ofAdmin:
		return p.Admin
	case ofJWT:
		return p.JWT
	case ofAPIKey:
		return p.APIKey
	case ofTwoFactor:
		return p.TwoFactor
	default:
		return false
	}
}

// kind is what a column holds; each dialect has its own word for it.
type kind uint8

const (
	asText kind = iota
	asFlag
	asInstant
	asNumber
)

// model is one logical table.
type model struct {
	name   string
	plugin plugin
	fields []field
}

// field is one logical column.
type field struct {
	name     string
	kind     kind
	plugin   plugin // ofCore: whatever the model belongs to
	required bool   // not null
	now      bool   // the built-in migration gives it a default on PostgreSQL
	unique   bool
	index    bool
	refs     string // the model whose id it holds
	needed   bool   // nobody can be resolved without it
}

func col(name string) field    { return field{name: name} }
func at(name string) field     { return field{name: name, kind: asInstant} }
func yes(name string) field    { return field{name: name, kind: asFlag} }
func number(name string) field { return field{name: name, kind: asNumber} }

func (f field) must() field           { f.required = true; return f }
func (f field) byDefaultNow() field   { f.now = true; return f }
func (f field) only() field           { f.unique = true; return f }
func (f field) indexed() field        { f.index = true; return f }
func (f field) to(model string) field { f.refs = model; return f }
func (f field) need() field           { f.needed = true; return f }
func (f field) with(p plugin) field   { f.plugin = p; return f }

// models lists the tables in the order in which the built-in migration makes them: what is referred to comes first. They are
// made once, and nobody changes them.
var models = sync.OnceValue(func() []model {
	return []model{
		{"user", ofCore, []field{
			col("id").must().need(), col("name").must().need(), col("email").must().only().need(),
			yes("emailVerified").must().need(), col("image"),
			at("createdAt").must().byDefaultNow(), at("updatedAt").must().byDefaultNow(),
			col("role").with(ofAdmin), yes("banned").with(ofAdmin), col("banReason").with(ofAdmin),
			at("banExpires").with(ofAdmin), yes("twoFactorEnabled").with(ofTwoFactor),
		}},
		{"session", ofCore, []field{
			col("id").must().need(), at("expiresAt").must().need(), col("token").must().only().need(),
			at("createdAt").must().byDefaultNow().need(), at("updatedAt").must(), col("ipAddress"), col("userAgent"),
			col("userId").must().indexed().to("user").need(),
			col("activeOrganizationId").with(ofOrganization), // text, whatever the ids are
			col("activeTeamId").with(ofTeams), col("impersonatedBy").with(ofAdmin),
		}},
		{"account", ofCore, []field{
			col("id").must(), col("accountId").must(), col("providerId").must(), col("userId").must().indexed().to("user"),
			col("accessToken"), col("refreshToken"), col("idToken"), at("accessTokenExpiresAt"), at("refreshTokenExpiresAt"),
			col("scope"), col("password"), at("createdAt").must().byDefaultNow(), at("updatedAt").must(),
		}},
		{"verification", ofCore, []field{
			col("id").must(), col("identifier").must().indexed(), col("value").must(), at("expiresAt").must(),
			at("createdAt").must().byDefaultNow(), at("updatedAt").must().byDefaultNow(),
		}},
		{"organization", ofOrganization, []field{
			col("id").must().need(), col("name").must().need(), col("slug").must().only().need(), col("logo"),
			at("createdAt").must(), col("metadata"),
		}},
		{"organizationRole", ofDynamicRoles, []field{
			col("id").must(), col("organizationId").must().indexed().to("organization"), col("role").must().indexed(),
			col("permission").must(), at("createdAt").must().byDefaultNow(), at("updatedAt"),
		}},
		{"team", ofTeams, []field{
			col("id").must().need(), col("name").must(), number("memberCount").must(),
			col("organizationId").must().indexed().to("organization").need(), at("createdAt").must(), at("updatedAt"),
		}},
		{"teamMember", ofTeams, []field{
			col("id").must(), col("teamId").must().indexed().to("team").need(),
			col("userId").must().indexed().to("user").need(), col("membershipKey").only(), at("createdAt"),
		}},
		{"member", ofOrganization, []field{
			col("id").must().need(), col("organizationId").must().indexed().to("organization").need(),
			col("userId").must().indexed().to("user").need(), col("role").must().need(), at("createdAt").must().need(),
		}},
		{"invitation", ofOrganization, []field{
			col("id").must(), col("organizationId").must().indexed().to("organization"), col("email").must().indexed(),
			col("role"), col("teamId").with(ofTeams), col("status").must(), at("expiresAt").must(),
			at("createdAt").must().byDefaultNow(), col("inviterId").must().to("user"),
		}},
		{"jwks", ofJWT, []field{
			col("id").must(), col("publicKey").must(), col("privateKey").must(), at("createdAt").must(), at("expiresAt"),
			col("alg"), col("crv"),
		}},
		{"apikey", ofAPIKey, []field{
			col("id").must(), col("configId").must().indexed(), col("name"), col("start"),
			col("referenceId").must().indexed(), col("prefix"), col("key").must().indexed(), number("refillInterval"),
			number("refillAmount"), at("lastRefillAt"), yes("enabled"), yes("rateLimitEnabled"),
			number("rateLimitTimeWindow"), number("rateLimitMax"), number("requestCount"), number("remaining"),
			at("lastRequest"), at("expiresAt"), at("createdAt").must(), at("updatedAt").must(), col("permissions"),
			col("metadata"),
		}},
		{"twoFactor", ofTwoFactor, []field{
			col("id").must(), col("secret").must().indexed(), col("backupCodes").must(),
			col("userId").must().indexed().to("user"), yes("verified"), number("failedVerificationCount"), at("lockedUntil"),
		}},
	}
})
