package gate

// Verdict is the kind of an answer. Its zero value denies.
type Verdict uint8

// The verdicts.
const (
	Deny        Verdict = iota // 403
	Allow                      // pass
	SignIn                     // nobody is signed in: 401, or 302 for a person in a browser
	Unavailable                // could not find out: 503
)

func (v Verdict) String() string {
	switch v {
	case Allow:
		return "allow"
	case SignIn:
		return "sign-in"
	case Unavailable:
		return "unavailable"
	default:
		return "deny"
	}
}

// Decision is what Check found. Its zero value denies. The pointers lead to shared values: read only.
type Decision struct {
	Verdict    Verdict
	Reason     Reason
	Rule       string      // label of the rule that was applied; empty when none was reached
	Method     Method      // how somebody proved who they are; empty for nobody
	Caller     string      // the internal caller that the request proved to come from; the backend is told where Method says so
	Principal  *Principal  // nil for nobody
	Membership *Membership // the organization acted under; nil for none
	Cookie     SetCookie   // tells the browser that its session lasts longer now; zero: nothing to tell
	Err        error       // why it could not be found out; for logs, never for answers
}
