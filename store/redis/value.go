package redis

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/gate"
)

// longest is how many bytes of a value are read. A user's picture may be part of it, as a data URL.
const longest = 1 << 20

// record is the value of a session's key.
type record struct {
	session gate.Session
	userID  string
	user    gate.User
}

// parse reads the value that was found for a token. Whatever is not a session of that token is none: the key may be
// anybody's. Better Auth itself does not compare the token in the value with the one that was asked for, does not demand
// that the user is the session's, and takes a session without createdAt, which no revocation of all of a user's sessions
// reaches; here all three are refused. Better Auth 1.4 writes no id of the session, so there the token has to be its name.
func parse(text, token string) (r record, ok bool) {
	if len(text) > longest {
		return record{}, false
	}
	var value object
	if json.Unmarshal([]byte(text), &value) != nil {
		return record{}, false
	}
	session, user := value.object("session"), value.object("user")
	_, named := session["token"]
	if named && session.text("token") != token {
		return record{}, false
	}
	r.session = gate.Session{
		ID:                 session.text("id"),
		CreatedAt:          session.instant("createdAt"),
		ExpiresAt:          session.instant("expiresAt"),
		ActiveOrganization: session.text("activeOrganizationId"),
		ActiveTeam:         session.text("activeTeamId"),
		ImpersonatedBy:     session.text("impersonatedBy"),
	}
	r.userID = session.text("userId")
	r.user = gate.User{
		ID:            user.text("id"),
		Name:          user.text("name"),
		Email:         user.text("email"),
		EmailVerified: user.flag("emailVerified"),
		Roles:         gate.ParseRoles(user.text("role")),
		Banned:        user.flag("banned"),
		BanExpires:    user.instant("banExpires"),
	}
	ok = (named || r.session.ID != "") && !r.session.CreatedAt.IsZero() && !r.session.ExpiresAt.IsZero() &&
		r.userID != "" && r.user.ID == r.userID
	return r, ok
}

// revoked reports whether a session made then is dead by the user's tombstone. Like Better Auth: one made in the same
// millisecond lives, and what is not a number says nothing.
func revoked(createdAt time.Time, tombstone string) bool {
	before, err := strconv.ParseFloat(strings.TrimSpace(tombstone), 64)
	if err != nil && !math.IsInf(before, 0) {
		return false
	}
	return float64(createdAt.UnixMilli()) < before
}

// object is a JSON object. Its names are compared as JavaScript does, letter by letter: encoding/json would read a
// user's own field "Role" into a struct's role.
type object map[string]json.RawMessage

func (o object) object(name string) (inner object) {
	if json.Unmarshal(o[name], &inner) != nil {
		return nil
	}
	return inner
}

// text reads a string, or a number that an id was written as. Anything else is empty.
func (o object) text(name string) (text string) {
	raw := o[name]
	switch {
	case len(raw) == 0:
	case raw[0] == '"':
		_ = json.Unmarshal(raw, &text) // it is valid: the object was
	case raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9':
		text = string(raw)
	}
	return text
}

// flag reads a boolean, or the 1 of a database that has none. Anything else is false.
func (o object) flag(name string) bool {
	raw := string(o[name])
	return raw == "true" || raw == "1"
}

// instant reads a time: ISO text or milliseconds. Anything else is the zero time.
func (o object) instant(name string) time.Time {
	text := o.text(name)
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at.UTC()
	}
	if ms, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(ms) <= latest {
		return time.UnixMilli(int64(ms)).UTC()
	}
	return time.Time{}
}

// latest is the last instant that JavaScript has, in milliseconds.
const latest = 8.64e15
