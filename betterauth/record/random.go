package record

import "crypto/rand"

const (
	letters     = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	idLen       = 32
	tokenLen    = 32
	fairestByte = 256 - 256%len(letters) // bytes from here on would favour the first letters
)

// ID makes a row's id as Better Auth does unless it is told otherwise: 32 of a-zA-Z0-9.
func ID() string { return random(idLen) }

// Token makes a session's token: 32 of a-zA-Z0-9, about 190 bits.
func Token() string { return random(tokenLen) }

func random(n int) string {
	out := make([]byte, 0, n)
	var pool [64]byte
	for {
		_, _ = rand.Read(pool[:]) // never fails: it ends the process instead
		for _, b := range pool {
			if int(b) >= fairestByte {
				continue
			}
			if out = append(out, letters[int(b)%len(letters)]); len(out) == n {
				return string(out)
			}
		}
	}
}
