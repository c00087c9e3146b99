package betterauth

import "github.com/usherauth/usher/gate"

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
	// A service token is nobody's session, however it got here: no store is ever asked for one.
	return len(token) < len(gate.ServicePrefix) || string(token[:len(gate.ServicePrefix)]) != gate.ServicePrefix
}
