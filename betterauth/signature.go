package betterauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"strings"
	"unicode/utf8"
)

// Sign makes the value of a signed cookie as Better Auth writes it: token "." base64(HMAC-SHA256(secret, token)),
// escaped for a cookie. The secret is used as it is, byte for byte. token must be valid UTF-8.
func Sign(secret, token string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(token))
	return encodeURIComponent(token + "." + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

const (
	signatureLen = 44  // base64 of 32 bytes, padded
	maxToken     = 512 // bytes of a session token; Better Auth makes them of 32
	maxValue     = maxToken + 1 + signatureLen
)

// prover checks signatures. It holds keyed HMAC states, so that no request pays for keying (0.1 instead of 0.7 µs),
// and room for what is decoded. One goroutine uses it at a time.
type prover struct {
	macs      []hash.Hash // one per secret, the current one first
	value     [maxValue]byte
	signature [(signatureLen + 3) / 4 * 3]byte
	sum       [sha256.Size]byte
}

func newProver(secrets [][]byte) *prover {
	p := &prover{macs: make([]hash.Hash, len(secrets))}
	for i, secret := range secrets {
		p.macs[i] = hmac.New(sha256.New, secret)
	}
	return p
}

// prove decodes a signed value and answers the token in it if its signature holds and it can be a session's token.
// The token is valid until the next call.
func (p *prover) prove(value string) (token []byte, ok bool) {
	decoded := decodeURIComponent(p.value[:0], value)
	dot := len(decoded) - signatureLen - 1
	if dot < 1 || dot > maxToken || decoded[dot] != '.' {
		return nil, false
	}
	// Not Strict: unused bits of the last character may be set, as atob lets them.
	if n, err := base64.StdEncoding.Decode(p.signature[:], decoded[dot+1:]); err != nil || n != sha256.Size {
		return nil, false
	}
	token = decoded[:dot]
	return token, p.signed(token) && storable(token, value)
}

// signed reports whether one of the secrets made the signature over token.
func (p *prover) signed(token []byte) bool {
	for _, mac := range p.macs {
		mac.Reset()
		mac.Write(token)
		if hmac.Equal(mac.Sum(p.sum[:0]), p.signature[:sha256.Size]) {
			return true
		}
	}
	return false
}

// storable reports whether a store may be asked for a token. A signature proves that the application signed the text,
// not that the text is a session's token: signatures are not bound to a cookie's name. A database that cannot even
// hold the text would answer with an error, which is "could not find out" instead of "no". Bytes beyond ASCII count
// only when they were escaped, as the library writes them: node reads raw ones as Latin-1, other runtimes as UTF-8.
func storable(token []byte, value string) bool {
	wide := false
	for _, c := range token {
		if c < 0x20 || c == 0x7f {
			return false
		}
		wide = wide || c >= utf8.RuneSelf
	}
	if !wide {
		return true
	}
	for i := range len(value) {
		if value[i] >= utf8.RuneSelf {
			return false
		}
	}
	return utf8.Valid(token)
}

// decodeURIComponent appends to dst what the JavaScript function of that name makes of s, or s itself where it would
// throw: the library keeps the raw value then. Nothing beyond dst's capacity is written; what does not fit is nil.
func decodeURIComponent(dst []byte, s string) []byte {
	if len(s) > 3*cap(dst) {
		return nil
	}
	out, rest, wide := dst, s, false
	for {
		plain := strings.IndexByte(rest, '%')
		if plain < 0 {
			plain = len(rest)
		}
		if len(out)+plain > cap(dst) {
			return nil
		}
		out, rest = append(out, rest[:plain]...), rest[plain:]
		if rest == "" {
			break
		}
		if len(rest) < 3 {
			return raw(dst, s)
		}
		high, low := unhex(rest[1]), unhex(rest[2])
		if high < 0 || low < 0 {
			return raw(dst, s)
		}
		if len(out) == cap(dst) {
			return nil
		}
		c := byte(high<<4 | low)
		out, rest, wide = append(out, c), rest[3:], wide || c >= utf8.RuneSelf
	}
	if wide && !utf8.Valid(out) {
		return raw(dst, s)
	}
	return out
}

func raw(dst []byte, s string) []byte {
	if len(dst)+len(s) > cap(dst) {
		return nil
	}
	return append(dst, s...)
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// encodeURIComponent is the JavaScript function of that name.
func encodeURIComponent(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s) + 8)
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.!~*'()", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
