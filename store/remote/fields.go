package remote

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// fields reads the members of a JSON object by their exact names: encoding/json alone would take an application's own
// "Role" for "role". The first thing that is not as it has to be is kept as err, without any value.
type fields struct {
	where string
	all   map[string]json.RawMessage
	err   error
}

func fieldsOf(where string, object []byte) *fields {
	f := &fields{where: where}
	if err := json.Unmarshal(object, &f.all); err != nil || f.all == nil {
		f.err = fmt.Errorf("%s is no JSON object", where)
	}
	return f
}

// isNull reports whether the text is JSON's null.
func isNull(text []byte) bool { return string(bytes.Trim(text, " \t\r\n")) == "null" }

// read decodes a member, and reports whether there is one: null is as good as none.
func (f *fields) read(name, kind string, into any) bool {
	text, found := f.all[name]
	if !found || isNull(text) {
		return false
	}
	if err := json.Unmarshal(text, into); err != nil {
		f.wrong(name, kind)
		return false
	}
	return true
}

func (f *fields) wrong(name, kind string) {
	if f.err == nil {
		f.err = fmt.Errorf("%s.%s is not %s", f.where, name, kind)
	}
}

// optional is a text, or empty.
func (f *fields) optional(name string) (text string) {
	f.read(name, "a text", &text)
	return text
}

// text is one that has to be there. It may be empty.
func (f *fields) text(name string) (text string) {
	if !f.read(name, "a text", &text) {
		f.wrong(name, "a text")
	}
	return text
}

// id is a text that has to be there, and to name something.
func (f *fields) id(name string) string {
	text := f.text(name)
	if text == "" {
		f.wrong(name, "an id")
	}
	return text
}

// flag is false where there is none.
func (f *fields) flag(name string) (set bool) {
	f.read(name, "true or false", &set)
	return set
}

// maybe is a time, or zero.
func (f *fields) maybe(name string) time.Time {
	text := f.optional(name)
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		f.wrong(name, "a time")
		return time.Time{}
	}
	return at.UTC()
}

// instant is a time that has to be there.
func (f *fields) instant(name string) time.Time {
	at := f.maybe(name)
	if at.IsZero() {
		f.wrong(name, "a time")
	}
	return at
}

// object is a member that is one, and has to be there.
func (f *fields) object(name string) *fields {
	if f.err != nil {
		return &fields{err: f.err}
	}
	return fieldsOf(f.where+"."+name, f.all[name])
}

// elements takes a JSON array apart.
func elements(where string, array []byte) ([]json.RawMessage, error) {
	var all []json.RawMessage
	if err := json.Unmarshal(array, &all); err != nil || all == nil {
		return nil, fmt.Errorf("%s is no JSON array", where)
	}
	return all, nil
}
