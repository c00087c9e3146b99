package gate

import "strings"

// ServicePrefix begins every token of an internal caller, and no session's: no store is ever asked for one (contract,
// section 8).
const ServicePrefix = "ushi_"

// ServiceTokens is a regular expression for an Authorization header that holds a service token, which no backend may be
// shown: for proxies that have to drop it by themselves. RE2 and PCRE read it alike.
const ServiceTokens = `(^|[^A-Za-z0-9._~+/-])ushi_`

// BearerToken takes the token out of an Authorization header. ours is false where another scheme is used, or none; a
// Bearer header without a usable token is ours with an empty one. Whoever looks for a bearer asks here, so that no
// spelling is a service token to one reader and a session's to another.
func BearerToken(authorization string) (token string, ours bool) {
	const scheme = "bearer"
	value := strings.Trim(authorization, " \t")
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return "", false
	}
	rest := value[len(scheme):]
	if rest == "" {
		return "", true
	}
	if rest[0] != ' ' {
		return "", !isTokenByte(rest[0]) // "Bearer\t…" is a bad bearer, "Bearers …" is another scheme
	}
	return strings.TrimLeft(rest, " "), true
}

// ServiceToken is the token of a Bearer header that names an internal caller, known or not.
func ServiceToken(authorization string) (token string, ours bool) {
	token, ours = BearerToken(authorization)
	return token, ours && strings.HasPrefix(token, ServicePrefix)
}

// holdsServiceToken reports whether something that begins as a service token stands anywhere in an Authorization header,
// whatever the scheme and however it is spaced: more than BearerToken understands, for this decides what a backend must
// not be shown. Where the prefix follows a letter or anything else that a token is made of, it is a part of another one.
// ServiceTokens says the same.
func holdsServiceToken(authorization string) bool {
	for at := 0; ; {
		i := strings.Index(authorization[at:], ServicePrefix)
		if i < 0 {
			return false
		}
		if at += i; at == 0 || !isToken68(authorization[at-1]) {
			return true
		}
		at += len(ServicePrefix)
	}
}

// isTokenByte reports whether c may be part of a token (RFC 9110, section 5.6.2).
func isTokenByte(c byte) bool {
	return isAlnum(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// isToken68 reports whether c may be part of what credentials are made of (RFC 9110, section 11.2), but for the = at
// their end.
func isToken68(c byte) bool {
	return isAlnum(c) || strings.IndexByte("-._~+/", c) >= 0
}
