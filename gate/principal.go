package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// The errors a Reader or a Resolver may answer with that mean something else than "could not find out".
var (
	ErrNoCredential  = errors.New("no credential")
	ErrBadCredential = errors.New("credential is not genuine")
	ErrNoSession     = errors.New("no such session")

	// ErrNotProvisioned is wrapped where somebody is there, but has no business row and could be given none.
	ErrNotProvisioned = errors.New("no business row")
)

// Method says how somebody proved who they are: the X-Auth-Method header.
type Method string

// The methods; the zero Method is nobody.
const (
	ByCookie Method = "cookie"
	ByBearer Method = "bearer"

	ByInternal Method = "internal" // an internal caller said who it is
)

// Credential is a session token whose proof held, or, with ByInternal, the id of a user that an internal caller speaks
// for: a Resolver must tell the two apart. Only a Reader makes one, after checking it, and the gate, so whoever holds a
// Credential need not ask. It prints as a placeholder everywhere.
type Credential struct {
	method Method
	token  string
}

// Proven makes a Credential. Call it only when the token's signature held, or where the deployment admits unsigned
// tokens.
func Proven(by Method, token string) Credential { return Credential{by, token} }

// Named makes the Credential of a user that a proven internal caller speaks for. No session is looked up: what is found
// is the user, who is there or not, with an empty Session.
func Named(userID string) Credential { return Credential{ByInternal, userID} }

// Method says how the token came.
func (c Credential) Method() Method { return c.method }

// Token is the secret itself, or the user's id with ByInternal, for a store's lookup and nothing else.
func (c Credential) Token() string { return c.token }

func (c Credential) String() string { return "credential(redacted)" }

// Format keeps every verb of fmt, %#v and %d too, from printing the token.
func (c Credential) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// LogValue keeps slog from printing the token.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MaxCandidates bounds how many cookies of one name are tried: a browser sends one, or two after a change of domain.
const MaxCandidates = 4

// Credentials are what one request proved, in the order to try them.
type Credentials struct {
	Method Method // what kind was found; set also when it was bad
	list   [MaxCandidates]Credential
	n      int
}

// Add appends c, and reports whether there was room.
func (cs *Credentials) Add(c Credential) bool {
	for _, have := range cs.list[:cs.n] {
		if have.token == c.token {
			return true
		}
	}
	if cs.n == MaxCandidates {
		return false
	}
	cs.list[cs.n] = c
	cs.n++
	cs.Method = c.method
	return true
}

func (cs Credentials) String() string { return fmt.Sprintf("%d credentials(redacted)", cs.n) }

// Format stands here because fmt cannot see the one of the unexported members.
func (cs Credentials) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(cs.String())) }

// LogValue keeps slog from printing the tokens.
func (cs Credentials) LogValue() slog.Value { return slog.StringValue(cs.String()) }

// Len is how many there are.
func (cs *Credentials) Len() int { return cs.n }

// At is the i-th, from 0.
func (cs *Credentials) At(i int) Credential { return cs.list[i] }

// Reader finds and proves the credentials of a request, without I/O. It answers ErrNoCredential when there is none and
// ErrBadCredential, with Method set, when what is there is not genuine. It must be safe for concurrent use.
type Reader interface {
	Read(r *Request) (Credentials, error)
}

// Resolver finds who holds a credential, or is named by one (ByInternal). It answers ErrNoSession when nobody does; any other
// error means that it could not find out, and the request is refused as unavailable. The Principal may be shared: nobody changes it. It must
// honour ctx and be safe for concurrent use.
type Resolver interface {
	Resolve(ctx context.Context, c Credential) (*Principal, error)
}

// Recaller is a Resolver that remembers. Recall answers what is in its memory now, without waiting, and nil where only
// Resolve can tell. The gate asks it first: an answer from memory then needs no deadline.
type Recaller interface {
	Resolver
	Recall(c Credential) *Principal
}

// Principal is what the store knows about the holder of a session, judged anew on every request. A session whose user
// is gone has an empty User.ID; somebody who was named has an empty Session.
type Principal struct {
	Session     Session
	User        User
	Memberships []Membership // oldest first

	// Plain says that Headers.Value writes every text above as it is: printable ASCII without "%", no space at either
	// end. Whoever has looked sets it (a cache, once for many requests); false is always right.
	Plain bool

	// Partial says that a part could not be found out this time, so that what depends on it is refused: nobody remembers it.
	Partial bool
}

// Session is Better Auth's session row.
type Session struct {
	ID                 string
	CreatedAt          time.Time
	ExpiresAt          time.Time
	ActiveOrganization string // a preference, not an authorisation: it outlives the membership
	ActiveTeam         string
	ImpersonatedBy     string // the admin's user id, or empty
}

// isNone reports whether there is no session here.
func (s *Session) isNone() bool {
	return s.ID == "" && s.CreatedAt.IsZero() && s.ExpiresAt.IsZero() && s.ActiveOrganization == "" && s.ActiveTeam == "" && s.ImpersonatedBy == ""
}

// User is Better Auth's user row.
type User struct {
	ID            string
	Name          string
	Email         string
	EmailVerified bool
	Roles         Roles // empty without the admin plugin
	Banned        bool
	BanExpires    time.Time // zero: no end
	BusinessID    string    // the key of the user's business row; empty: there is none
}

// banned reports whether the ban holds at this instant.
func (u *User) banned(now time.Time) bool {
	return u.Banned && (u.BanExpires.IsZero() || u.BanExpires.After(now))
}

// Membership is a user's place in one organization.
type Membership struct {
	OrganizationID string
	Slug           string
	Name           string
	Roles          Roles
	Teams          []string // team ids
	BusinessID     string   // the key of the organization's business row; empty: there is none
}

// Roles is a list of role names as Better Auth stores it: joined by commas, without spaces or empty members.
type Roles string

// ParseRoles reads a stored list: old rows hold spaces and empty members.
func ParseRoles(stored string) Roles {
	if !strings.ContainsAny(stored, " \t") && !strings.Contains(stored, ",,") &&
		!strings.HasPrefix(stored, ",") && !strings.HasSuffix(stored, ",") {
		return Roles(stored)
	}
	var clean []string
	for role := range strings.SplitSeq(stored, ",") {
		if role = strings.TrimSpace(role); role != "" {
			clean = append(clean, role)
		}
	}
	return Roles(strings.Join(clean, ","))
}

// hasAny reports whether one of the wanted roles is in the list.
func (rs Roles) hasAny(wanted []string) bool {
	rest := string(rs)
	for rest != "" {
		var role string
		role, rest, _ = strings.Cut(rest, ",")
		for _, want := range wanted {
			if role == want {
				return true
			}
		}
	}
	return false
}
