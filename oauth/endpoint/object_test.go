package endpoint

import (
	"encoding/json"
	"os"
	"testing"
)

const reservedSays = "additionalParams cannot include reserved OAuth parameters: state, client_id, redirect_uri, response_type, code_challenge, code_challenge_method, nonce, scope"

// schemas are those that testdata/zod.json was recorded with, from zod 4.6.7 through better-call's own formatting.
var schemas = map[string]*Object{
	"social": {Fields: []Field{
		{Name: "callbackURL", Optional: true},
		{Name: "newUserCallbackURL", Optional: true},
		{Name: "errorCallbackURL", Optional: true},
		{Name: "provider", Says: "Invalid input"},
		{Name: "disableRedirect", Type: Flag, Optional: true},
		{Name: "idToken", Type: Nested, Optional: true, Object: &Object{Fields: []Field{
			{Name: "token"},
			{Name: "nonce", Optional: true},
			{Name: "accessToken", Optional: true},
			{Name: "refreshToken", Optional: true},
			{Name: "expiresAt", Type: Count, Optional: true},
			{Name: "user", Type: Nested, Optional: true, Object: &Object{Fields: []Field{
				{Name: "name", Type: Nested, Optional: true, Object: &Object{Fields: []Field{{Name: "firstName", Optional: true}, {Name: "lastName", Optional: true}}}},
				{Name: "email", Optional: true},
			}}},
		}}},
		{Name: "scopes", Type: Texts, Optional: true},
		{Name: "requestSignUp", Type: Flag, Optional: true},
		{Name: "loginHint", Optional: true},
		{Name: "additionalParams", Type: TextRecord, Optional: true, Refuse: func(v Value) string {
			if v.member("state").kind != Undefined {
				return reservedSays
			}
			return ""
		}},
		{Name: "additionalData", Type: AnyRecord, Optional: true},
	}},
	"token":   {Fields: []Field{{Name: "token"}}},
	"signOut": {Optional: true, Fields: []Field{{Name: "callbackURL", Optional: true}, {Name: "disableRedirect", Type: Flag, Optional: true}, {Name: "state", Optional: true}}},
	"selection": {OneOf: []*Object{
		{Strict: true, Fields: []Field{{Name: "accountId"}, {Name: "userId", Optional: true}}},
		{Strict: true, Fields: []Field{{Name: "useAccountCookie", Type: True}, {Name: "userId", Optional: true}}},
	}},
	"record":    {Record: true},
	"setActive": {Fields: []Field{{Name: "organizationId", Optional: true, Nullable: true}, {Name: "organizationSlug", Optional: true}}},
	"full":      {Optional: true, Fields: []Field{{Name: "organizationId", Optional: true}, {Name: "organizationSlug", Optional: true}, {Name: "membersLimit", Type: Either, Optional: true}}},
	"strict":    {Strict: true, Fields: []Field{{Name: "accountId"}}},
}

func TestComplaintsAreZods(t *testing.T) {
	text, err := os.ReadFile("testdata/zod.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Schema  string
		Body    *string
		Message string
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 100 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		var v Value
		body := "nothing"
		if c.Body != nil {
			body = *c.Body
			if v, err = parseJSON([]byte(body)); err != nil {
				t.Fatal(err)
			}
		}
		got := ""
		if _, err := schemas[c.Schema].validate(v, "body"); err != nil {
			got = err.(*Error).Message
		}
		if got != c.Message {
			t.Errorf("%s of %s:\n got %q\nwant %q", c.Schema, body, got, c.Message)
		}
	}
}

// The texts on the right are node's JSON.stringify(JSON.parse(left)).
func TestValuesAreWrittenAsJavaScriptDoes(t *testing.T) {
	for from, to := range map[string]string{
		`{"b":1,"a":2,"b":3}`:                                     `{"b":3,"a":2}`,
		`{"x":1,"10":2,"9":3,"01":4}`:                             `{"9":3,"10":2,"x":1,"01":4}`,
		`{"4294967295":1,"4294967294":2}`:                         `{"4294967294":2,"4294967295":1}`,
		`[1.0,-0,1e21,1e-7,0.000001,123456789012345680000,1e999]`: `[1,0,1e+21,1e-7,0.000001,123456789012345680000,null]`,
		`"<\u003e&\u2028\u007f\u0001\/\b\f\n\r\t\""`:              "\"<>&\u2028\u007f\\u0001/\\b\\f\\n\\r\\t\\\"\"",
		` { "a" : [ null , true , { } ] } `:                       `{"a":[null,true,{}]}`,
	} {
		v, err := parseJSON([]byte(from))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(v.AppendJSON(nil)); got != to {
			t.Errorf("%s:\n got %s\nwant %s", from, got, to)
		}
	}
	for _, bad := range []string{"", "{", "{}x", "nul", `{"a":}`, "[1,]", "'a'", "\x00"} {
		if _, err := parseJSON([]byte(bad)); err == nil {
			t.Errorf("%q is JSON", bad)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,"b",null,{"2":true}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := parseJSON(text)
		if err != nil {
			return
		}
		once := v.AppendJSON(nil)
		again, err := parseJSON(once)
		if err != nil {
			t.Fatalf("%q was written as %q, which is no JSON", text, once)
		}
		if twice := again.AppendJSON(nil); string(once) != string(twice) {
			t.Fatalf("%q, then %q", once, twice)
		}
		for name, schema := range schemas {
			if _, err := schema.validate(v, name); err != nil && len(err.(*Error).Message) > 8<<10+2*len(text)+200 {
				t.Fatal("an answer much longer than what was asked")
			}
		}
	})
}
