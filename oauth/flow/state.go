package flow

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/usherauth/usher/betterauth/record"
)

const (
	// StateAge is how long a state counts, in the row and in its own value.
	StateAge = 10 * time.Minute
	// StateCookieAge is how long the browser keeps the cookie that goes with a row.
	StateCookieAge = 5 * time.Minute
)

// ErrBadState says that a stored state is not one of Better Auth's.
var ErrBadState = errors.New("flow: the stored state has another shape")

// State is what is remembered of a sign-in while the person is at the provider.
type State struct {
	ID          string // the `state` parameter; empty in what is read: none was stored
	CallbackURL string
	Verifier    string
	ErrorURL    string // empty: the server's own error page
	NewUserURL  string // empty: CallbackURL
	Link        *Link  // nil: a sign-in
	ExpiresAt   time.Time
	SignUp      *bool  // requestSignUp
	Nonce       string // empty: the provider signs none

	// Provider binds the state to a provider, under a key of our own; empty in states that Better Auth began.
	Provider string

	// Additional is the client's additionalData, a JSON object; nil: none. It cannot set any of the above.
	Additional json.RawMessage
	// ServerContext is what JavaScript plugins keep here. It is read past, never used.
	ServerContext json.RawMessage
}

// Link is whose account the identity is going to be.
type Link struct {
	UserID, Email string
	Session       string // the session's token, sealed; empty in states from before 1.7.16, whose session is not checked
}

// Identifier is the name of a state's row. The prefix keeps a state from being taken for any other verification
// (GHSA-965c-763c-88jm). hashed is Better Auth's verification.storeIdentifier.
func Identifier(id string, hashed bool) string {
	identifier := "auth-state:" + id
	if !hashed {
		return identifier
	}
	sum := sha256.Sum256([]byte(identifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Encode writes s as the library does: the client's data first, then its own keys in their order, of which those without
// a value are left out, and win all the same over the client's.
func (s *State) Encode() (string, error) {
	var o object
	if len(s.Additional) > 0 {
		var err error
		if o, err = readObject(s.Additional); err != nil {
			return "", err
		}
	}
	o.set("callbackURL", quoted(s.CallbackURL))
	o.set("codeVerifier", quoted(s.Verifier))
	o.set("errorURL", quotedOrNothing(s.ErrorURL))
	o.set("newUserURL", quotedOrNothing(s.NewUserURL))
	o.set("link", s.Link.encode())
	o.set("serverContext", nil)
	o.set("expiresAt", strconv.AppendInt(nil, s.ExpiresAt.UnixMilli(), 10))
	var signUp []byte
	if s.SignUp != nil {
		signUp = strconv.AppendBool(nil, *s.SignUp)
	}
	o.set("requestSignUp", signUp)
	o.set("idTokenNonce", quotedOrNothing(s.Nonce))
	o.set("oauthState", quotedOrNothing(s.ID))
	o.set("usher", quotedOrNothing(s.Provider))
	return string(o.write(nil)), nil
}

func (l *Link) encode() []byte {
	if l == nil {
		return nil
	}
	var o object
	o.set("userId", quoted(l.UserID))
	o.set("email", quoted(l.Email))
	o.set("encryptedSessionToken", quotedOrNothing(l.Session))
	return o.write(nil)
}

func quoted(s string) []byte { return record.AppendString(nil, s) }

func quotedOrNothing(s string) []byte {
	if s == "" {
		return nil
	}
	return quoted(s)
}

// DecodeState reads what Encode or the library wrote, as strictly as the library does: ErrBadState for every other shape.
func DecodeState(text string) (*State, error) {
	o, err := readObject([]byte(text))
	if err != nil {
		return nil, ErrBadState
	}
	s := &State{ServerContext: o.get("serverContext")}
	r := reader{o: o}
	s.CallbackURL, s.Verifier = r.text("callbackURL", true), r.text("codeVerifier", true)
	s.ErrorURL, s.NewUserURL = r.text("errorURL", false), r.text("newUserURL", false)
	s.ID, s.Nonce, s.Provider = r.text("oauthState", false), r.text("idTokenNonce", false), r.text("usher", false)
	s.ExpiresAt = r.millis("expiresAt")
	if raw := o.get("requestSignUp"); raw != nil {
		r.unmarshal(raw, &s.SignUp)
	}
	if raw := o.get("link"); raw != nil {
		s.Link = r.link(raw)
	}
	if raw := s.ServerContext; raw != nil && raw[0] != '{' {
		r.bad = true
	}
	if r.bad {
		return nil, ErrBadState
	}
	return s, nil
}

// reader takes values out of an object and remembers whether one was of the wrong kind.
type reader struct {
	o   object
	bad bool
}

func (r *reader) unmarshal(raw []byte, to any) {
	if bytes.Equal(raw, []byte("null")) || json.Unmarshal(raw, to) != nil {
		r.bad = true
	}
}

func (r *reader) text(key string, required bool) (s string) {
	switch raw := r.o.get(key); {
	case raw != nil:
		r.unmarshal(raw, &s)
	case required:
		r.bad = true
	}
	return s
}

func (r *reader) millis(key string) time.Time {
	var n float64
	raw := r.o.get(key)
	if raw == nil {
		r.bad = true
		return time.Time{}
	}
	r.unmarshal(raw, &n)
	if math.Abs(n) > 8.64e15 { // beyond JavaScript's own calendar
		r.bad = true
		return time.Time{}
	}
	return time.UnixMilli(int64(n))
}

// link reads whose account it is going to be. An id may be a number, where Better Auth is told to count.
func (r *reader) link(raw []byte) *Link {
	o, err := readObject(raw)
	if err != nil {
		r.bad = true
		return nil
	}
	inner := reader{o: o}
	l := &Link{Email: inner.text("email", true), Session: inner.text("encryptedSessionToken", false)}
	id := o.get("userId")
	switch {
	case len(id) > 0 && (id[0] == '-' || '0' <= id[0] && id[0] <= '9'):
		l.UserID = string(id)
	default:
		l.UserID = inner.text("userId", true)
	}
	r.bad = r.bad || inner.bad || l.UserID == ""
	return l
}
