package provider

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/usherauth/usher/oauth/provider/wire"
)

var errNoSubject = errors.New("the profile has no usable account id")

// accountID makes the text an account is found by. Numbers are written as JavaScript does; from 2^53 on it would take two
// people for one, so those have none here.
func accountID(v any) (string, error) {
	switch v := v.(type) {
	case string:
		switch s := strings.TrimSpace(v); s {
		case "", "undefined", "null", "NaN", "[object Object]":
			return "", errNoSubject
		}
		return v, nil
	case json.Number:
		f, err := v.Float64()
		if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
			return "", errNoSubject
		}
		return strconv.FormatInt(int64(f), 10), nil
	}
	return "", errNoSubject
}

// truth is "true" and true, as Better Auth's parseStringBoolean.
func truth(v any) bool { return v == true || v == "true" }

// oneReading is whether an address means the same to everybody who parses it. It guards what "verified" opens: linking
// by e-mail, and rules by domain (CVE-2026-40574, GHSA-c5c4: a@evil@corp.com; GHSA-7rqj: a homoglyph of @).
func oneReading(email string) bool {
	local, domain, found := strings.Cut(email, "@")
	if !found || local == "" || domain == "" || len(email) > 320 {
		return false
	}
	for _, r := range local {
		// Letters of any script are people's names; a sign that looks like @, a blank or a control character is not.
		// One that is an ASCII letter in lower case, which addresses are compared in, makes another's address of it: the
		// Kelvin sign is a k then.
		if r > unicode.MaxASCII && (!unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsNumber(r) || unicode.ToLower(r) <= unicode.MaxASCII) || r <= ' ' || r == 0x7f || strings.ContainsRune(`"(),:;<>[\]`, r) {
			return false
		}
	}
	for _, r := range domain {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' {
			return false
		}
	}
	return true
}

// identity puts together what a provider said. subject is the raw account id.
func identity(subject any, email, name string, image any, verified bool, profile *wire.Object) (*Identity, error) {
	id, err := accountID(subject)
	if err != nil {
		return nil, err
	}
	i := &Identity{AccountID: id, Email: email, Name: name, EmailVerified: verified && oneReading(email), Raw: wire.Append(nil, profile)}
	if s, ok := image.(string); ok && s != "" {
		i.Image = &s
	}
	return i, nil
}

// placeholder is the address Better Auth gives people of providers that do not tell one.
func placeholder(id, namespace string) string { return id + "@" + namespace + ".placeholder.invalid" }
