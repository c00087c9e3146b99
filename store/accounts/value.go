package accounts

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/betterauth/record"
)

// object is a JSON object whose keys keep their order, and those that nobody here knows their values.
type object []pair

type pair struct {
	key   string
	value json.RawMessage
}

// parseObject reads an object; of a key that is there twice the last value counts, in the first's place, as in JavaScript.
func parseObject(text []byte) (object, bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	var o object
	for d.More() {
		t, err := d.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return nil, false
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, false
		}
		o.set(key, value)
	}
	if _, err := d.Token(); err != nil || d.InputOffset() < int64(len(bytes.TrimRight(text, " \t\r\n"))) {
		return nil, false
	}
	return o, true
}

func (o *object) set(key string, value json.RawMessage) {
	for i := range *o {
		if (*o)[i].key == key {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, pair{key, value})
}

func (o object) get(key string) json.RawMessage {
	for i := range o {
		if o[i].key == key {
			return o[i].value
		}
	}
	return nil
}

func (o object) appendJSON(b []byte) []byte {
	b = append(b, '{')
	for i, p := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(record.AppendString(b, p.key), ':'), p.value...)
	}
	return append(b, '}')
}

// text reads a string, or a number that an id was written as. Anything else is empty.
func (o object) text(key string) string {
	if t := o.textOrNull(key); t != nil {
		return *t
	}
	return ""
}

func (o object) textOrNull(key string) *string {
	raw := o.get(key)
	var text string
	switch {
	case len(raw) == 0:
		return nil
	case raw[0] == '"':
		_ = json.Unmarshal(raw, &text) // it is valid: the object was
	case raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9':
		text = string(raw)
	default:
		return nil
	}
	return &text
}

// flag reads a boolean, or the 1 of a database that has none.
func (o object) flag(key string) bool {
	raw := string(o.get(key))
	return raw == "true" || raw == "1"
}

func (o object) flagOrNull(key string) *bool {
	if raw := string(o.get(key)); raw == "" || raw == "null" {
		return nil
	}
	flag := o.flag(key)
	return &flag
}

// instant reads a time: ISO text or milliseconds. Anything else is the zero time.
func (o object) instant(key string) time.Time {
	text := o.text(key)
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at.UTC()
	}
	const latest = 8.64e15 // milliseconds; the last instant that JavaScript has
	if ms, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(ms) <= latest {
		return time.UnixMilli(int64(ms)).UTC()
	}
	return time.Time{}
}

func (o object) instantOrNull(key string) *time.Time {
	at := o.instant(key)
	if at.IsZero() {
		return nil
	}
	return &at
}

// value is what a session's key holds.
type value struct{ session, user object }

// parse reads the value that was found for a token. Whatever is not a session of that token is none, for a signed cookie
// of another kind may name any key: as store/redis, which says where that is stricter than Better Auth.
func parse(text, token string) (*value, bool) {
	if len(text) > longest {
		return nil, false
	}
	whole, ok := parseObject([]byte(text))
	if !ok {
		return nil, false
	}
	var v value
	var one, two bool
	v.session, one = parseObject(whole.get("session"))
	v.user, two = parseObject(whole.get("user"))
	userID := v.session.text("userId")
	ok = one && two && v.session.text("token") == token && userID != "" && v.user.text("id") == userID &&
		!v.session.instant("createdAt").IsZero() && !v.session.instant("expiresAt").IsZero()
	return &v, ok
}

func (v *value) appendJSON(b []byte) []byte {
	b = v.session.appendJSON(append(b, `{"session":`...))
	b = v.user.appendJSON(append(b, `,"user":`...))
	return append(b, '}')
}

func (v *value) record() (*record.Session, *record.User) {
	s, u := v.session, v.user
	session := record.Session{
		ID: s.text("id"), Token: s.text("token"), UserID: s.text("userId"),
		ExpiresAt: s.instant("expiresAt"), CreatedAt: s.instant("createdAt"), UpdatedAt: s.instant("updatedAt"),
		IPAddress: s.textOrNull("ipAddress"), UserAgent: s.textOrNull("userAgent"),
		ActiveOrganizationID: s.textOrNull("activeOrganizationId"), ActiveTeamID: s.textOrNull("activeTeamId"),
		ImpersonatedBy: s.textOrNull("impersonatedBy"),
	}
	user := record.User{
		ID: u.text("id"), Name: u.text("name"), Email: u.text("email"), EmailVerified: u.flag("emailVerified"), Image: u.textOrNull("image"),
		CreatedAt: u.instant("createdAt"), UpdatedAt: u.instant("updatedAt"),
		Role: u.textOrNull("role"), Banned: u.flagOrNull("banned"), BanReason: u.textOrNull("banReason"), BanExpires: u.instantOrNull("banExpires"),
	}
	return &session, &user
}

// revoked reports whether a session made then is dead by the user's tombstone. As Better Auth: one made in the same
// millisecond lives, and what is not a number says nothing.
func revoked(createdAt time.Time, tombstone string) bool {
	before, err := strconv.ParseFloat(strings.TrimSpace(tombstone), 64)
	if err != nil && !math.IsInf(before, 0) {
		return false
	}
	return float64(createdAt.UnixMilli()) < before
}

// newValue is the value of a session that is made. Without rows Better Auth writes what it was made from, and not what
// plugins have not set; with rows, the row.
func newValue(s *record.Session, u *record.User, shape record.Shape, rows bool) []byte {
	var b []byte
	if rows {
		b = s.AppendJSON([]byte(`{"session":`), shape)
	} else {
		b = madeFrom(s).appendJSON([]byte(`{"session":`))
	}
	b = u.AppendJSON(append(b, `,"user":`...), shape)
	return append(b, '}')
}

func madeFrom(s *record.Session) object {
	null := func(text *string) json.RawMessage {
		if text == nil {
			return json.RawMessage("null")
		}
		return json.RawMessage(quoted(*text))
	}
	o := object{
		{"id", json.RawMessage(quoted(s.ID))},
		{"ipAddress", null(s.IPAddress)},
		{"userAgent", null(s.UserAgent)},
		{"expiresAt", json.RawMessage(quoted(record.Time(s.ExpiresAt)))},
		{"userId", json.RawMessage(quoted(s.UserID))},
		{"token", json.RawMessage(quoted(s.Token))},
		{"createdAt", json.RawMessage(quoted(record.Time(s.CreatedAt)))},
		{"updatedAt", json.RawMessage(quoted(record.Time(s.UpdatedAt)))},
	}
	for key, text := range map[string]*string{"activeOrganizationId": s.ActiveOrganizationID, "activeTeamId": s.ActiveTeamID, "impersonatedBy": s.ImpersonatedBy} {
		if text != nil {
			o.set(key, null(text))
		}
	}
	return o
}

func quoted(text string) string { return string(record.AppendString(nil, text)) }
