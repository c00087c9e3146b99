package betterauth

import "strings"

// servicePrefix keeps the tokens of internal callers apart from sessions' (contract, section 8): no store is ever
// asked for one.
const servicePrefix = "ushi_"

// bearerToken takes the token out of an Authorization header. ours is false where another scheme is used, or none;
// a Bearer header without a usable token is ours with an empty one.
func bearerToken(authorization string) (token string, ours bool) {
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

// bearerShape reports whether a session token may come as a bearer: visible ASCII, as RFC 6750 has it, without the
// comma that would make two headers of it.
func bearerShape[T string | []byte](token T) bool {
	if len(token) == 0 || len(token) > maxToken {
		return false
	}
	for i := range len(token) {
		if c := token[i]; c <= ' ' || c > '~' || c == ',' {
			return false
		}
	}
	return len(token) < len(servicePrefix) || string(token[:len(servicePrefix)]) != servicePrefix
}
