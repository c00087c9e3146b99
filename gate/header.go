package gate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Field is one thing the gate can say about a request, in the order the headers are sent.
type Field uint8

// The fields of contract section 4.
const (
	UserID Field = iota
	UserEmail
	UserEmailVerified
	UserName
	UserRole
	SessionID
	OrgID
	OrgSlug
	OrgName
	OrgRole
	TeamID
	AuthMethod
	ImpersonatedBy
	InternalCaller
	AuthUserID
	AuthOrgID
	fieldCount
)

// What a header may say besides, in the place of Better Auth's ids.
const (
	businessUserID = fieldCount + 1 + iota
	businessOrgID
)

var fieldNames = [fieldCount]string{
	"user_id", "user_email", "user_email_verified", "user_name", "user_role", "session_id", "org_id", "org_slug",
	"org_name", "org_role", "team_id", "auth_method", "impersonated_by", "internal_caller", "auth_user_id", "auth_org_id",
}

func (f Field) String() string {
	if f < fieldCount {
		return fieldNames[f]
	}
	return "unknown"
}

// ParseField finds a field by its name in the configuration (user_id, org_slug, …).
func ParseField(name string) (Field, bool) {
	i := slices.Index(fieldNames[:], name)
	return Field(max(i, 0)), i >= 0
}

// FieldNames lists the names ParseField knows.
func FieldNames() []string { return slices.Clone(fieldNames[:]) }

// Preset is a copy of the header names another gateway taught backends to read. A field it does not name is not sent.
func Preset(name string) (map[Field]string, bool) {
	names, ok := presets[name]
	return maps.Clone(names), ok
}

var presets = map[string]map[Field]string{
	"usher": {
		UserID: "X-User-Id", UserEmail: "X-User-Email", UserEmailVerified: "X-User-Email-Verified",
		UserName: "X-User-Name", UserRole: "X-User-Role", SessionID: "X-Session-Id", OrgID: "X-Org-Id",
		OrgSlug: "X-Org-Slug", OrgName: "X-Org-Name", OrgRole: "X-Org-Role", TeamID: "X-Team-Id",
		AuthMethod: "X-Auth-Method", ImpersonatedBy: "X-Impersonated-By", InternalCaller: "X-Internal-Caller",
		AuthUserID: "X-Auth-User-Id", AuthOrgID: "X-Auth-Org-Id",
	},
	"oauth2-proxy": {
		UserID: "X-Auth-Request-User", UserEmail: "X-Auth-Request-Email", UserName: "X-Auth-Request-Preferred-Username",
		UserRole: "X-Auth-Request-Groups", OrgID: "X-Org-Id", OrgRole: "X-Org-Role",
	},
	"authelia": {
		UserID: "Remote-User", UserEmail: "Remote-Email", UserName: "Remote-Name", UserRole: "Remote-Groups",
		OrgID: "X-Org-Id", OrgRole: "X-Org-Role",
	},
	"authentik": {
		UserID: "X-Authentik-Uid", UserEmail: "X-Authentik-Email", UserName: "X-Authentik-Name",
		UserRole: "X-Authentik-Groups", OrgID: "X-Org-Id", OrgRole: "X-Org-Role",
	},
	"grafana": {
		UserID: "X-Webauth-User", UserEmail: "X-Webauth-Email", UserName: "X-Webauth-Name", OrgID: "X-Org-Id",
		OrgRole: "X-Webauth-Role",
	},
}

// Headers knows the identity headers by name: which there are, and which other spellings a backend that speaks CGI,
// WSGI, Rack or PHP would take for one (X_User_Id, X.User.Id; Caddy GHSA-f59h-q822-g45g, Traefik CVE-2026-54763).
// Make one with NewHeaders; it is immutable.
type Headers struct {
	names    [fieldCount]string // as sent; empty: not sent
	lower    [fieldCount]string
	said     [fieldCount]Field // what each is filled with
	identity map[string]string // lower-case names of all of them, the organization header included, each under itself
	shapes   shapes            // of these
	read     shapes            // of what Collect reads besides
	org      string            // lower-case name of the header a client may ask for an organization with
	orgField Field             // the one that is sent under the same name; fieldCount: none
	raw      bool
	business Business // whose ids are those of business rows
	always   []string
}

// HeadersConfig says how identity is spelled.
type HeadersConfig struct {
	Names        map[Field]string // a field without a name is not sent
	Organization string           // the header a client asks for an organization with; empty: none
	Business     Business         // of whom UserID and OrgID are the keys of business rows, and Better Auth's ids AuthUserID and AuthOrgID
	Raw          bool             // send UTF-8 as it is instead of percent-encoding it; control bytes are encoded all the same
	AlwaysRemove []string         // lower-case names every gRPC answer removes, whether or not the request shows them
}

// longestName bounds header names: collecting folds a name in a buffer of this size.
const longestName = 64

// NewHeaders checks the names: letters, digits and "-" only, because every other byte folds onto "-" in some backend.
func NewHeaders(c HeadersConfig) (*Headers, error) {
	h := &Headers{identity: make(map[string]string), orgField: fieldCount, raw: c.Raw, business: c.Business, always: c.AlwaysRemove}
	for _, name := range collected {
		h.read.add(name)
	}
	for field := range fieldCount {
		h.said[field] = field
	}
	if h.business.Users {
		h.said[UserID], h.said[AuthUserID] = businessUserID, UserID
	}
	if h.business.Organizations {
		h.said[OrgID], h.said[AuthOrgID] = businessOrgID, OrgID
	}
	var problems []error
	owner := make(map[string]Field)
	for field := range fieldCount {
		name := c.Names[field]
		if name == "" {
			continue
		}
		if err := checkHeaderName(name); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", field, err))
			continue
		}
		lower := strings.ToLower(name)
		if other, taken := owner[lower]; taken {
			problems = append(problems, fmt.Errorf("%s: header %s already carries %s", field, name, other))
			continue
		}
		owner[lower] = field
		h.names[field], h.lower[field] = name, lower
		h.identity[lower] = lower
		h.shapes.add(lower)
	}
	if c.Organization != "" {
		h.org = strings.ToLower(c.Organization)
		if err := checkHeaderName(c.Organization); err != nil {
			problems = append(problems, fmt.Errorf("organization header: %w", err))
		} else {
			h.identity[h.org] = h.org
			h.shapes.add(h.org)
		}
		if field, taken := owner[h.org]; taken {
			h.orgField = field
			if field != OrgID {
				problems = append(problems, fmt.Errorf("organization header: %s already carries %s", c.Organization, field))
			}
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return h, nil
}

// readElsewhere are headers that mean something to the gate, the proxy or HTTP itself.
var readElsewhere = []string{
	"host", "cookie", "authorization", "origin", "accept", "connection", "upgrade", "content-length", "content-type",
	"transfer-encoding", "te", "trailer", "expect", "location", "set-cookie", "cache-control", "retry-after",
	"www-authenticate", "x-request-id", "x-api-key", "forwarded", "date", "pragma", "keep-alive", "proxy-connection",
}

func checkHeaderName(name string) error {
	if name == "" || len(name) > longestName {
		return fmt.Errorf("%q: a header name has 1 to %d characters", name, longestName)
	}
	for i := range len(name) {
		if c := name[i]; !isAlnum(c) && c != '-' {
			return fmt.Errorf("%q: use letters, digits and - only; backends confuse the rest with -", name)
		}
	}
	lower := strings.ToLower(name)
	if slices.Contains(readElsewhere, lower) || strings.HasPrefix(lower, "x-forwarded-") ||
		strings.HasPrefix(lower, "x-original-") || strings.HasPrefix(lower, "sec-") || strings.HasPrefix(lower, "x-envoy-") ||
		strings.HasPrefix(lower, "x-usher-") {
		return fmt.Errorf("%q means something else already; choose another name", name)
	}
	return nil
}

// Names lists every identity header as it is spelled when sent, in order; the organization header comes last when no
// field has its name. Proxy configurations are made from it.
func (h *Headers) Names() []string {
	var names []string
	orgHeader := h.org
	for field, name := range h.names {
		if name != "" {
			names = append(names, name)
		}
		if h.lower[field] == h.org {
			orgHeader = ""
		}
	}
	if orgHeader != "" {
		names = append(names, orgHeader)
	}
	return names
}

// Organization is the lower-case name of the header a client asks for an organization with; empty: none.
func (h *Headers) Organization() string { return h.org }

// User is the lower-case name of the header that says who the user is, with which an internal caller names one; empty: none.
func (h *Headers) User() string { return h.lower[UserID] }

// Which single-valued headers Collect has met, to notice a second one.
const (
	seenAuthorization = 1 << iota
	seenOrganization
	seenOrigin
	seenFetchSite
	seenFetchMode
	seenFetchDest
	seenAnnounced
	seenUser
)

// collected are the headers Collect reads besides those that carry identity. A test compares the list with the switches.
var collected = []string{
	"cookie", "authorization", "origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest",
	"access-control-request-method", "accept", "connection", "upgrade", "sec-websocket-key", "x-request-id",
	"x-http-method-override", "x-http-method", "x-method-override",
}

// shapes are the lengths of header names with their first and last letters: nearly all headers of a request have one that
// means nothing. Letters are folded.
type shapes struct{ first, last [longestName + 1]letters }

type letters [4]uint64

func (l *letters) add(c byte)      { l[c>>6] |= 1 << (c & 63) }
func (l *letters) has(c byte) bool { return l[c>>6]&(1<<(c&63)) != 0 }

func (s *shapes) add(lower string) {
	s.first[len(lower)].add(lower[0])
	s.last[len(lower)].add(lower[len(lower)-1])
}

func (s *shapes) has(length int, first, last byte) bool {
	return s.first[length].has(first) && s.last[length].has(last)
}

// folds are the letters that a careless backend may take others for: lower case, and "-" for what is neither letter nor
// digit.
var folds = func() (table [256]byte) {
	for i := range table {
		switch c := byte(i); {
		case 'A' <= c && c <= 'Z':
			table[i] = c + 'a' - 'A'
		case isAlnum(c):
			table[i] = c
		default:
			table[i] = '-'
		}
	}
	return table
}()

// Collect takes one header line of the original request. Names may come in any case. Every edge hands every header it
// is given to it, so that the same request is read the same way everywhere. It does not allocate for headers that do
// not matter.
func (h *Headers) Collect(r *Request, name, value string) {
	if len(name) > longestName || len(name) == 0 {
		return // longer than any name that matters, also when folded
	}
	first, last := folds[name[0]], folds[name[len(name)-1]]
	ours := h.shapes.has(len(name), first, last)
	if !ours && !h.read.has(len(name), first, last) {
		return
	}
	var room [longestName]byte
	folded, exact := room[:len(name)], true
	for i := range folded {
		c := name[i]
		folded[i] = folds[c]
		exact = exact && (folds[c] != '-' || c == '-')
	}
	if ours {
		if lower, ok := h.identity[string(folded)]; ok {
			h.spoken(r, lower, name, value, exact)
			return
		}
	}
	switch string(folded) {
	case "x-http-method-override", "x-http-method", "x-method-override": // in any spelling: frameworks fold names
		if r.Override != "" && r.Override != value {
			r.Refuse(AmbiguousRequest)
		}
		r.Override = value
		return
	}
	if !exact {
		return
	}
	switch string(folded) {
	case "cookie":
		r.Cookies = append(r.Cookies, value)
	case "authorization":
		r.serviceToken = r.serviceToken || holdsServiceToken(value)
		single(r, seenAuthorization, &r.Authorization, value)
	case "origin":
		single(r, seenOrigin, &r.Origin, value)
	case "sec-fetch-site":
		single(r, seenFetchSite, &r.FetchSite, value)
	case "sec-fetch-mode":
		single(r, seenFetchMode, &r.FetchMode, value)
	case "sec-fetch-dest":
		single(r, seenFetchDest, &r.FetchDest, value)
	case "access-control-request-method":
		single(r, seenAnnounced, &r.Announced, value)
	case "accept":
		list(r, &r.Accept, value)
	case "connection":
		list(r, &r.Connection, value)
	case "upgrade":
		if value != "" {
			r.Upgrade = true
			if !strings.EqualFold(strings.Trim(value, " \t"), "websocket") {
				r.Refuse(AmbiguousRequest) // h2c would tunnel requests past the gate that nobody judged
			}
		}
	case "sec-websocket-key":
		r.Upgrade = r.Upgrade || value != ""
	case "x-request-id":
		if r.ID == "" {
			r.ID = value
		}
	}
}

// spoken takes an identity header that the client sent, or an alias of one.
func (h *Headers) spoken(r *Request, lower, name, value string, exact bool) {
	if !exact {
		r.Aliases = append(r.Aliases, name)
		return
	}
	if !slices.Contains(r.Sent, lower) {
		r.Sent = append(r.Sent, lower)
	}
	if value == "" {
		return
	}
	if lower == h.lower[UserID] {
		// A proven caller is told that it is not clear whom it means. To anybody else it makes no difference.
		r.userUnclear = r.userUnclear || r.seen&seenUser != 0 || strings.IndexByte(value, ',') >= 0 || hasControl(value) || len(value) > maxValueBytes
		r.seen |= seenUser
		r.User = value
	}
	if lower == h.org { // some proxies deliver an absent header as an empty one
		single(r, seenOrganization, &r.Organization, value)
	}
}

// single stores a header that may occur once. A comma is a second value: Envoy joins two lines with one.
func single(r *Request, bit uint16, into *string, value string) {
	if r.seen&bit != 0 || strings.IndexByte(value, ',') >= 0 || hasControl(value) {
		r.Refuse(AmbiguousRequest)
	}
	if len(value) > maxValueBytes {
		r.Refuse(RequestTooLarge)
	}
	r.seen |= bit
	*into = value
}

func list(r *Request, into *string, value string) {
	if len(*into)+len(value) > maxValueBytes {
		r.Refuse(RequestTooLarge)
		return
	}
	if *into == "" {
		*into = value
	} else {
		*into += "," + value
	}
}

// Value writes a value so that it passes through every proxy: printable ASCII without "%" stays as it is, anything else
// is percent-encoded UTF-8 as a whole (RFC 3986, unreserved characters stay), so that decoding is always right.
func (h *Headers) Value(s string) string {
	plain := s == "" || s[0] != ' ' && s[len(s)-1] != ' '
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == 0x7f || !h.raw && (c >= 0x80 || c == '%') {
			plain = false
			break
		}
	}
	if plain && (!h.raw || validUTF8(s)) {
		return s
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s) * 3)
	for i := range len(s) {
		if c := s[i]; isAlnum(c) || c == '-' || c == '.' || c == '_' || c == '~' {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
