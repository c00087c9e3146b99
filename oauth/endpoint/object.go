package endpoint

import (
	"slices"
	"strconv"
	"strings"
)

// Object describes what a body or a query may be, in the words of the library's own schema, so that what is wrong is
// told in its words too. The zero Object is any object.
type Object struct {
	Fields   []Field   // in the library's order, which is the order of its complaints
	Strict   bool      // other members are refused (z.strictObject)
	Optional bool      // there may be nothing at all
	Record   bool      // any members, whatever they hold (z.record); Fields do not count
	OneOf    []*Object // fits if one of these does (z.union); Fields do not count
}

// Type is what a field must be.
type Type uint8

// The types of fields.
const (
	Text       Type = iota // a string
	Flag                   // a boolean
	Count                  // a finite number
	Texts                  // an array of strings
	TextRecord             // an object whose members are strings
	AnyRecord              // an object with any members
	Nested                 // what Field.Object describes
	True                   // exactly true
	Either                 // a string or a number
	Coerced                // anything: only whether it is true to JavaScript counts (z.coerce.boolean)
)

// Field is one member of an Object.
type Field struct {
	Name     string
	Type     Type
	Object   *Object // of type Nested
	Optional bool    // it may be left out
	Nullable bool    // it may be null

	// Says is the complaint about a value of another type; empty: zod's usual one, which names what was expected. A
	// union, as which the library describes a provider's name, only says "Invalid input".
	Says string

	// Refuse looks at a value of the right type and returns a complaint, or nothing. It may be nil.
	Refuse func(Value) string
}

// issue is one complaint. where is empty or begins with a dot.
type issue struct {
	where, what string
	mild        bool // does not decide that another part of a union is meant
}

const invalid = "Invalid input"

func expected(what string, got Value) string {
	return invalid + ": expected " + what + ", received " + got.received()
}

// check lists what is wrong with v.
func (o *Object) check(v Value, where string) []issue {
	switch {
	case o.Optional && v.kind == Undefined:
		return nil
	case o.OneOf != nil:
		return checkUnion(o.OneOf, v, where)
	case o.Record:
		if v.kind != Record {
			return []issue{{where: where, what: expected("record", v)}}
		}
		return nil
	case v.kind != Record:
		return []issue{{where: where, what: expected("object", v)}}
	}
	var found []issue
	for i := range o.Fields {
		field := &o.Fields[i]
		found = append(found, field.check(v.member(field.Name), where+"."+field.Name)...)
	}
	if o.Strict {
		found = append(found, o.checkNames(v, where)...)
	}
	return found
}

func (o *Object) checkNames(v Value, where string) []issue {
	var unknown []string
	for _, m := range v.members {
		if !slices.ContainsFunc(o.Fields, func(f Field) bool { return f.Name == m.name }) {
			unknown = append(unknown, `"`+m.name+`"`)
		}
	}
	switch len(unknown) {
	case 0:
		return nil
	case 1:
		return []issue{{where, "Unrecognized key: " + unknown[0], true}}
	}
	return []issue{{where, "Unrecognized keys: " + strings.Join(unknown, ", "), true}}
}

// checkUnion complains in the words of the one part that is all but met, if there is exactly one.
func checkUnion(parts []*Object, v Value, where string) []issue {
	var near [][]issue
	for _, part := range parts {
		found := part.check(v, where)
		if len(found) == 0 {
			return nil
		}
		if !slices.ContainsFunc(found, func(i issue) bool { return !i.mild }) {
			near = append(near, found)
		}
	}
	if len(near) == 1 {
		return near[0]
	}
	return []issue{{where: where, what: invalid}}
}

func (f *Field) check(v Value, where string) []issue {
	if f.Optional && v.kind == Undefined || f.Nullable && v.kind == Null {
		return nil
	}
	found := f.checkType(v, where)
	switch {
	case len(found) > 0 && f.Says != "":
		return []issue{{where: where, what: f.Says}}
	case len(found) > 0 || f.Refuse == nil:
		return found
	}
	if what := f.Refuse(v); what != "" {
		return []issue{{where: where, what: what}}
	}
	return nil
}

func (f *Field) checkType(v Value, where string) []issue {
	wrong := func(what string) []issue { return []issue{{where: where, what: expected(what, v)}} }
	switch f.Type {
	case Text:
		if v.kind != String {
			return wrong("string")
		}
	case Flag:
		if v.kind != Bool {
			return wrong("boolean")
		}
	case Count:
		if v.kind != Number || v.infinite() {
			return wrong("number")
		}
	case Texts:
		if v.kind != Array {
			return wrong("array")
		}
		return checkTexts(v, where)
	case TextRecord:
		if v.kind != Record {
			return wrong("record")
		}
		return checkTexts(v, where)
	case AnyRecord:
		if v.kind != Record {
			return wrong("record")
		}
	case Nested:
		return f.Object.check(v, where)
	case True:
		if v.kind != Bool || !v.truth {
			return []issue{{where: where, what: invalid + ": expected true"}}
		}
	case Either:
		if v.kind != String && (v.kind != Number || v.infinite()) {
			return []issue{{where: where, what: invalid}}
		}
	case Coerced:
	}
	return nil
}

// checkTexts complains about the parts of an array or object that are no strings.
func checkTexts(v Value, where string) []issue {
	var found []issue
	for i, item := range v.items {
		if item.kind != String {
			found = append(found, issue{where: where + "." + strconv.Itoa(i), what: expected("string", item)})
		}
	}
	for _, m := range v.members {
		if m.value.kind != String {
			found = append(found, issue{where: where + "." + m.name, what: expected("string", m.value)})
		}
	}
	return found
}

// validate is the Values of v, or the library's answer to what does not fit. part is body or query.
func (o *Object) validate(v Value, part string) (Values, error) {
	found := o.check(v, "")
	if len(found) == 0 {
		return Values{v}, nil
	}
	const most = 8 << 10 // bytes of an answer that repeats the request's own words
	var b strings.Builder
	for i, is := range found {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString("[" + part + is.where + "] " + is.what)
		if b.Len() > most {
			break
		}
	}
	return Values{}, &Error{Status: 400, Code: "VALIDATION_ERROR", Message: b.String()}
}
