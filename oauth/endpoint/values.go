package endpoint

// Values are the members of a body or query that fitted its Object. Whatever was left out reads as the zero value.
type Values struct{ v Value }

// Has reports whether the member is there and not null.
func (v Values) Has(name string) bool {
	kind := v.v.member(name).kind
	return kind != Undefined && kind != Null
}

// IsNull reports whether the member is there and null.
func (v Values) IsNull(name string) bool { return v.v.member(name).kind == Null }

// Text is a string, empty where there is none.
func (v Values) Text(name string) string { return v.v.member(name).text }

// TextOrNil is a string, nil where there is none.
func (v Values) TextOrNil(name string) *string {
	if m := v.v.member(name); m.kind == String {
		return &m.text
	}
	return nil
}

// True reports whether a member is true to JavaScript.
func (v Values) True(name string) bool { return v.v.member(name).truthy() }

// Number is a number.
func (v Values) Number(name string) (n float64, ok bool) {
	m := v.v.member(name)
	return m.number, m.kind == Number
}

// Texts are the strings of an array.
func (v Values) Texts(name string) []string {
	items := v.v.member(name).items
	texts := make([]string, len(items))
	for i := range items {
		texts[i] = items[i].text
	}
	return texts
}

// Object are the members of an object.
func (v Values) Object(name string) Values { return Values{v.v.member(name)} }

// Names are the names of all members, in JavaScript's order.
func (v Values) Names() []string {
	names := make([]string, len(v.v.members))
	for i := range v.v.members {
		names[i] = v.v.members[i].name
	}
	return names
}

// Value is a member as it is.
func (v Values) Value(name string) Value { return v.v.member(name) }
