package wire

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestParseObjectHasOneReading(t *testing.T) {
	for text, want := range map[string]string{
		`{"b":1,"a":{"x":[true,null,"é"]}}`:                              `{"b":1,"a":{"x":[true,null,"é"]}}`,
		" {\"a\" : 1.50 }\n":                                             `{"a":1.5}`,
		`{"a":1e21,"b":1e-7,"c":123456789012345678901,"d":-0,"e":1E400}`: `{"a":1e+21,"b":1e-7,"c":123456789012345680000,"d":0,"e":null}`,
		`{"a":"\u2028<>&\u0001\/\"\\"}`:                                  "{\"a\":\"\u2028<>&\\u0001/\\\"\\\\\"}",
		`{}`:                                                             `{}`,
		`{"a":1,"A":2}`:                                                  `{"a":1,"A":2}`, // two members, as in JavaScript
		`{"a":1,"a":1}`:                                                  "",
		`{"a":1,"\u0061":2}`:                                             "",
		`{"x":[{"a":1,"a":2}]}`:                                          "",
		`{"a":1}{}`:                                                      "",
		`{"a":1}x`:                                                       "",
		`{"a":1`:                                                         "",
		`{"a":01}`:                                                       "",
		`{"a":1,}`:                                                       "",
		`[]`:                                                             "",
		`null`:                                                           "",
		``:                                                               "",
		"{\"a\":\"\xff\"}":                                               "",
		`{"a":` + strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100) + `}`: "",
	} {
		o, err := ParseObject([]byte(text))
		switch {
		case want == "" && !errors.Is(err, ErrJSON):
			t.Errorf("%.40s: %v", text, err)
		case want != "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && string(Append(nil, o)) != want:
			t.Errorf("%s\n got %s\nwant %s", text, Append(nil, o), want)
		}
	}
}

func TestParseArray(t *testing.T) {
	for text, want := range map[string]int{`[1,{}]`: 2, `[]`: 0, `{}`: -1, `1],"b":[2`: -1, `[1]}`: -1, ``: -1, `[1],"a":[2]`: -1} {
		list, err := ParseArray([]byte(text))
		if want < 0 && err == nil || want >= 0 && (err != nil || len(list) != want) {
			t.Errorf("%s: %v %v", text, list, err)
		}
	}
}

func TestQuoteHidesAndShortens(t *testing.T) {
	secret := "s3cr3t/+"
	for _, text := range []string{secret, "a " + secret + " b", Escape(secret), strings.Repeat("x", 100) + secret + secret, strings.Repeat("x", 476) + secret} {
		q := Quote(text, secret, "")
		if strings.Contains(q, "s3cr") || len(q) > 140 {
			t.Errorf("%q", q)
		}
	}
	if q := Quote("\x1b[31m\n\u202e\xff"); strings.ContainsAny(q, "\x1b\n\u202e") {
		t.Errorf("%q", q)
	}
}

func TestEncodeIsURLSearchParams(t *testing.T) {
	if got, want := Encode([]Param{{"a b", "~*-._'()!"}, {"é", "\xff&="}}), "a+b=%7E*-._%27%28%29%21&%C3%A9=%EF%BF%BD%26%3D"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got, want := EscapeComponent("a b*~!'()/+"), "a%20b*~!%27()%2F%2B"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func FuzzObject(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"a":"\ud800"}`, `{"a":1,"a":2}`, `{"a":[{"b":1e-400}]}`, "\xff", `{"a":`, `{"":{"":[]}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := ParseObject(b)
		if err != nil {
			return
		}
		if !json.Valid(b) {
			t.Fatalf("took %q", b)
		}
		once := Append(nil, o)
		again, err := ParseObject(once)
		if err != nil || string(Append(nil, again)) != string(once) {
			t.Fatalf("%q became %q, %v", b, once, err)
		}
	})
}
