package gate

// Reason is the stable label of why a request got its answer: the X-Usher-Reason header, the `reason` of logs, metrics
// and Envoy's dynamic metadata, and the `code` of 403 answers. docs/reasons.md lists them; a test keeps that list true.
type Reason string

// Why a request passed.
const (
	SignedIn  Reason = "SIGNED_IN" // a session, and everything the rule asks for
	Public    Reason = "PUBLIC"    // the rule asks nobody
	Anonymous Reason = "ANONYMOUS" // the rule is optional and nobody is signed in
	Preflight Reason = "PREFLIGHT" // a CORS preflight the backend may answer
	Disabled  Reason = "DISABLED"  // AUTH_ENABLED=false
	Internal  Reason = "INTERNAL"  // an internal caller, for a user or as itself, and everything the rule asks for
)

// Why nobody is signed in: 401, or a redirect to the sign-in page.
const (
	NoCredential   Reason = "NO_CREDENTIAL"
	BadCookie      Reason = "BAD_COOKIE" // present, not signed by us
	BadBearer      Reason = "BAD_BEARER"
	SessionUnknown Reason = "SESSION_UNKNOWN" // signed out, revoked, or never there
	SessionExpired Reason = "SESSION_EXPIRED"
	UserDeleted    Reason = "USER_DELETED"   // the session outlived its user
	UnknownCaller  Reason = "UNKNOWN_CALLER" // a service token that is no caller's
)

// Why somebody who is signed in may not pass: 403.
const (
	UserBanned       Reason = "USER_BANNED"
	NotAMember       Reason = "NOT_A_MEMBER"
	OrgRequired      Reason = "ORG_REQUIRED"
	OrgRoleRequired  Reason = "ORG_ROLE_REQUIRED"
	UserRoleRequired Reason = "USER_ROLE_REQUIRED"
	SessionNotFresh  Reason = "SESSION_NOT_FRESH"
	InvalidOrigin    Reason = "INVALID_ORIGIN"
	CallerNotAllowed Reason = "CALLER_NOT_ALLOWED" // beyond the limits of an internal caller
	UserRequired     Reason = "USER_REQUIRED"      // an internal caller named no user
	UserUnknown      Reason = "USER_UNKNOWN"       // an internal caller named somebody who is not there
)

// Why a request was not judged at all: 403.
const (
	UntrustedProxy   Reason = "UNTRUSTED_PROXY"
	AmbiguousRequest Reason = "AMBIGUOUS_REQUEST"
	AliasedHeader    Reason = "ALIASED_HEADER"
	UnsafePath       Reason = "UNSAFE_PATH"
	MethodRefused    Reason = "METHOD_REFUSED" // CONNECT and TRACE
	RequestTooLarge  Reason = "REQUEST_TOO_LARGE"
	UnknownRule      Reason = "UNKNOWN_RULE" // the proxy's configuration names a rule that is not there
)

// Why it could not be found out: 503.
const (
	StoreUnavailable Reason = "STORE_UNAVAILABLE"
	StoreTimeout     Reason = "STORE_TIMEOUT"
	ProvisionFailed  Reason = "PROVISION_FAILED" // somebody is there, but has no business row and could be given none
	InternalError    Reason = "INTERNAL_ERROR"
)

// message is what a person reads beside the code of a 403 or 503.
func (why Reason) message() string {
	if m, ok := messages[why]; ok {
		return m
	}
	return "Forbidden"
}

var messages = map[Reason]string{
	UserBanned:       "This account is banned",
	NotAMember:       "You are not a member of this organization",
	OrgRequired:      "This needs an organization; you are in none",
	OrgRoleRequired:  "Your role in this organization does not allow this",
	UserRoleRequired: "Your role does not allow this",
	SessionNotFresh:  "This needs a recent sign-in; sign in again",
	InvalidOrigin:    "This request comes from an origin that is not trusted",
	CallerNotAllowed: "This service may not do that",
	UserRequired:     "This needs a user; name one",
	UserUnknown:      "There is no such user",
	UntrustedProxy:   "The caller is not in trusted_proxies",
	AmbiguousRequest: "The request can be read in more than one way",
	AliasedHeader:    "A header looks like an identity header; remove it",
	UnsafePath:       "The path can be read in more than one way",
	MethodRefused:    "This method does not pass",
	RequestTooLarge:  "The request is too large to be judged",
	UnknownRule:      "The proxy names a rule that does not exist",
	StoreUnavailable: "Sessions cannot be checked right now; try again",
	StoreTimeout:     "Sessions cannot be checked right now; try again",
	ProvisionFailed:  "This account cannot be set up right now; try again",
	InternalError:    "Sessions cannot be checked right now; try again",
}
