package gate

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Caller is a service that may speak for users, how it proves who it is, and what it is limited to.
type Caller struct {
	Name          string   // as X-Internal-Caller says it; letters, digits, -, _ and .; unique
	TokenSHA256   []string // hashes of its tokens, in hex: two at most, so that one can take the place of the other
	SPIFFE        []string // ids that Envoy may report: * is within one segment, ** any number of whole segments
	Users         []string // ids of users it may speak for; empty: any
	Organizations []string // ids of organizations it may act in; empty: any, and none
	Rules         []string // names of rules it may meet; empty: any
}

// Callers are all of them. Make them with NewCallers; they are immutable. Nil and the zero Callers know nobody.
type Callers struct {
	all    []Caller
	hashes []tokenHash
	ids    []spiffePattern
}

// tokenHash is the SHA-256 of a token, and whose it is.
type tokenHash struct {
	sum   [sha256.Size]byte
	owner int
}

// spiffePattern is a pattern taken apart, and whose it is.
type spiffePattern struct {
	domain string
	path   []string // nil: the id of the trust domain itself
	owner  int
}

const (
	// serviceTokenLength is that of every service token: the prefix and 32 random bytes in base64url without padding.
	// Nothing else is hashed, so nobody is admitted with a token that a person made up.
	serviceTokenLength = len(ServicePrefix) + 43

	mostTokens    = 2
	longestSPIFFE = 2048 // SPIFFE-ID, section 2.3
)

// CallerError is one problem of one caller.
type CallerError struct {
	Index   int    // of the caller, from 0
	Field   string // name, token_sha256, spiffe; empty: the caller as a whole
	Message string
}

func (e *CallerError) Error() string {
	field := ""
	if e.Field != "" {
		field = "." + e.Field
	}
	return fmt.Sprintf("internal.callers[%d]%s: %s", e.Index, field, e.Message)
}

// NewCallers compiles the callers and reports every problem. Whether rules of these names exist is not asked here.
func NewCallers(list []Caller) (*Callers, error) {
	c := &Callers{all: slices.Clone(list)}
	var problems []error
	for i, one := range list {
		bad := func(field, format string, args ...any) {
			problems = append(problems, &CallerError{i, field, fmt.Sprintf(format, args...)})
		}
		if message := CheckCallerName(one.Name); message != "" {
			bad("name", "%s", message)
		} else if slices.ContainsFunc(list[:i], func(other Caller) bool { return other.Name == one.Name }) {
			bad("name", "%q names two callers", one.Name)
		}
		if len(one.TokenSHA256) > mostTokens {
			bad("token_sha256", "%d hashes; write two at most, the old one and the new one", len(one.TokenSHA256))
		}
		for _, text := range one.TokenSHA256 {
			sum, err := hex.DecodeString(text)
			switch {
			case strings.HasPrefix(text, ServicePrefix):
				bad("token_sha256", "this is a token itself; write its SHA-256, and make a new one with `usher internal add`, for this one was shown")
			case err != nil || len(sum) != sha256.Size:
				bad("token_sha256", "write the 64 hexadecimal digits that `usher internal add` printed")
			case slices.ContainsFunc(c.hashes, func(have tokenHash) bool { return string(have.sum[:]) == string(sum) }):
				bad("token_sha256", "%s… is there twice; each token is one caller's", text[:8])
			default:
				c.hashes = append(c.hashes, tokenHash{[sha256.Size]byte(sum), i})
			}
		}
		for _, pattern := range one.SPIFFE {
			domain, path, message := parseSPIFFE(pattern, true)
			if message != "" {
				bad("spiffe", "%q: %s", pattern, message)
			}
			c.ids = append(c.ids, spiffePattern{domain, path, i})
		}
		if len(one.TokenSHA256)+len(one.SPIFFE) == 0 {
			bad("", "%q has neither token_sha256 nor spiffe, so nobody could prove to be it", one.Name)
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return c, nil
}

// CheckCallerName says what is wrong with a caller's name; empty: nothing.
func CheckCallerName(name string) string {
	if name == "" || len(name) > longestName {
		return fmt.Sprintf("%q: a name has 1 to %d characters", name, longestName)
	}
	for i := range len(name) {
		if c := name[i]; !isAlnum(c) && c != '-' && c != '_' && c != '.' {
			return fmt.Sprintf("%q: use letters, digits, -, _ and .", name)
		}
	}
	return ""
}

// byToken finds whose token this is. Every hash is compared, in constant time, whichever matches: how long it takes says
// nothing about any of them.
func (c *Callers) byToken(token string) *Caller {
	if c == nil || len(token) != serviceTokenLength {
		return nil
	}
	sum := sha256.Sum256([]byte(token))
	found := -1
	for i := range c.hashes {
		same := subtle.ConstantTimeCompare(sum[:], c.hashes[i].sum[:])
		found = subtle.ConstantTimeSelect(same, c.hashes[i].owner, found)
	}
	if found < 0 {
		return nil
	}
	return &c.all[found]
}

// bySPIFFE finds the first caller with a pattern for this id. What is no SPIFFE id is nobody's: Envoy reports a name or a
// subject of the certificate where that has no URI.
func (c *Callers) bySPIFFE(id string) *Caller {
	if c == nil || len(c.ids) == 0 || id == "" {
		return nil
	}
	domain, path, message := parseSPIFFE(id, false)
	if message != "" {
		return nil
	}
	for i := range c.ids {
		p := &c.ids[i]
		switch {
		case p.domain != domain:
		case len(p.path) == 0 || len(path) == 0:
			if len(p.path) == len(path) {
				return &c.all[p.owner]
			}
		case matchSegments(p.path, strings.Join(path, "/")):
			return &c.all[p.owner]
		}
	}
	return nil
}

// parseSPIFFE takes an id, or a pattern of ids, apart, as strictly as the standard (SPIFFE-ID, section 2): nothing is
// escaped, folded or cleaned, so that there is one spelling of each. A trust domain is never a pattern: who may name users
// must not depend on whom another authority vouches for.
func parseSPIFFE(id string, pattern bool) (domain string, path []string, message string) {
	rest, ok := strings.CutPrefix(id, "spiffe://")
	if !ok || len(id) > longestSPIFFE {
		return "", nil, "write it as spiffe://trust-domain/path"
	}
	domain, rest, slash := strings.Cut(rest, "/")
	if domain == "" || strings.Trim(domain, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" {
		return "", nil, "a trust domain has lower-case letters, digits, -, . and _, and no *"
	}
	if !slash {
		return domain, nil, ""
	}
	path = strings.Split(rest, "/")
	for _, segment := range path {
		switch {
		case segment == "" || segment == "." || segment == "..":
			return "", nil, "a path has no empty segments and none of dots"
		case pattern && segment != "**" && strings.Contains(segment, "**"):
			return "", nil, "** must be a whole segment, as in spiffe://prod/ns/**"
		}
		for i := range len(segment) {
			if c := segment[i]; !isAlnum(c) && c != '-' && c != '_' && c != '.' && (!pattern || c != '*') {
				return "", nil, "a path has letters, digits, -, . and _"
			}
		}
	}
	return domain, path, ""
}

// admitsRule reports whether the limits let the caller meet this rule.
func (c *Caller) admitsRule(r *Rule) bool {
	return len(c.Rules) == 0 || slices.Contains(c.Rules, r.Name)
}

func (c *Caller) admitsUser(id string) bool { return len(c.Users) == 0 || slices.Contains(c.Users, id) }

// admitsOrganization reports whether the limits let it act there; nil is in none at all.
func (c *Caller) admitsOrganization(m *Membership) bool {
	return len(c.Organizations) == 0 || m != nil && slices.Contains(c.Organizations, m.OrganizationID)
}
