package config

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Organization is how the organization of a request is found.
type Organization struct {
	// The header a client may ask for an organization with, by id or slug. Empty: none.
	Header string `yaml:"header"`
	// Where the organization comes from: `header`, `{host: "{org}.example.com"}` and `{path: "/orgs/{org}/"}` are what the
	// request asks for, and must not differ; if it asks for none, `active`, the session's active organization, and
	// `first`, the oldest membership, count in the order they are written.
	Sources []OrgSource `yaml:"sources"`
}

// OrgSource is one place the organization may come from.
type OrgSource struct {
	Kind    string // header, active, first, host or path
	Pattern string // of host and path
}

// read takes a word, or {host: pattern} or {path: pattern}.
func (s *OrgSource) read(d *decoder, n *yaml.Node, path string) {
	const want = `must be header, active, first, {host: "{org}.example.com"} or {path: "/orgs/{org}/"}`
	switch {
	case n.Kind == yaml.ScalarNode && (n.Value == "header" || n.Value == "active" || n.Value == "first"):
		s.Kind = n.Value
	case n.Kind == yaml.MappingNode && len(n.Content) == 2 && (n.Content[0].Value == "host" || n.Content[0].Value == "path"):
		if text, ok := d.text(n.Content[1], path, "a pattern"); ok {
			d.places[path] = d.place(n.Content[1])
			s.Kind, s.Pattern = n.Content[0].Value, text
		}
	default:
		d.at(d.place(n), path, want)
	}
}

// Headers is how identity is spelled for the backend.
type Headers struct {
	// The names backends read: those of Usher, or those another gateway taught them. A field the preset does not name is
	// not sent.
	Preset string `yaml:"preset" enum:"usher,oauth2-proxy,authelia,authentik,grafana"`
	// Names that differ from the preset's, by field: `user_id: X-Uid`; an empty name is not sent. Fields: `user_id`
	// `user_email` `user_email_verified` `user_name` `user_role` `session_id` `org_id` `org_slug` `org_name` `org_role`
	// `team_id` `auth_method` `impersonated_by` `internal_caller` `auth_user_id` `auth_org_id`.
	Names map[string]string `yaml:"names"`
	// `percent` encodes every value that is not plain printable ASCII, as a whole, so that decoding is always right;
	// `raw` sends UTF-8 as it is.
	Values string `yaml:"values" enum:"percent,raw"`
	// Whose ids `X-User-Id` and `X-Org-Id` carry. `business`: those of the rows of `provision`; Better Auth's are then in
	// `X-Auth-User-Id` and `X-Auth-Org-Id`.
	IDs string `yaml:"ids" enum:"better-auth,business"`
	// Further header names that every gRPC answer removes, whether or not the request shows them.
	Remove []string `yaml:"remove"`
}

// Rule is one line of the policy. What is left out matches everything, and demands no more than a session.
type Rule struct {
	// By which a proxy's configuration picks this rule; unique. Letters, digits, `-`, `_` and `.`.
	Name string `yaml:"name"`
	// `app.example.com`, or `*.example.com` for every name below it. Empty: any.
	Host string `yaml:"host"`
	// Pattern: `*` is within one segment, `**` any number of whole segments. `/admin/**` covers `/admin` and `/admin/` too;
	// `/admin` covers neither `/admin/` nor anything below, which many backends serve alike. Empty: any.
	Path string `yaml:"path"`
	// In upper case; GET includes HEAD. Empty: any.
	Methods []string `yaml:"methods"`
	// Who may pass: `required`, somebody signed in; `optional`, anybody, with identity where there is one; `public`,
	// anybody, and identity is never looked up.
	Access string `yaml:"access" enum:"required,optional,public"`
	// Whether an internal caller that names no user passes as itself.
	Internal bool `yaml:"internal"`
	// Whether an organization is demanded: `required` (or `true`).
	Org Demand `yaml:"org"`
	// One of these roles in that organization; implies `org`.
	OrgRoles []string `yaml:"org_roles"`
	// One of these roles of the user's own (admin plugin).
	UserRoles []string `yaml:"user_roles"`
	// Age of the sign-in at most, as `15m`. 0: any.
	Fresh time.Duration `yaml:"fresh"`
}

// Demand is true or `required`.
type Demand bool

func (o *Demand) read(d *decoder, n *yaml.Node, path string) {
	text, ok := d.text(n, path, "required")
	if !ok {
		return
	}
	if strings.EqualFold(text, "required") {
		*o = true
	} else if b, ok := parseBool(text); ok {
		*o = Demand(b)
	} else {
		d.at(d.place(n), path, "must be required, or left out")
	}
}
