package shared

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// prefix is that of all names.
const prefix = "usher:session:"

// clock is a Redis server's time, in microseconds since 1970.
type clock int64

// since is how much later it is than another reading.
func (c clock) since(earlier clock) time.Duration { return time.Duration(c-earlier) * time.Microsecond }

// names make the names of entries.
type names struct{ key []byte }

func newNames(key []byte) names { return names{append([]byte(nil), key...)} }

// name is what an entry is called in Redis, and the secret that it is sealed with. Both come from the credential and the
// cache's key: a session has a secret of its own, so that no secret ever seals more than a few entries, and random
// nonces do not meet.
type name struct {
	redis  string
	secret [32]byte
}

func (ns names) of(c gate.Credential) name {
	mac := hmac.New(sha512.New, ns.key)
	if c.Method() == gate.ByInternal {
		mac.Write([]byte("\x00named:")) // no token has a NUL: store.Askable
	}
	mac.Write([]byte(c.Token()))
	var room [sha512.Size]byte
	sum := mac.Sum(room[:0])
	n := name{redis: prefix + hex.EncodeToString(sum[:24])}
	copy(n.secret[:], sum[32:])
	return n
}

// entry is what is kept about a session, or about a user who was named.
type entry struct {
	clock     clock // Redis' before the lookup began
	principal *gate.Principal
}

// An entry before it is sealed: one byte of version, eight of the clock, and the packed principal.
const (
	version = 1
	head    = 1 + 8
)

// errEntry says nothing about the content.
var errEntry = errors.New("shared: not an entry of this cache")

func (n name) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(n.secret[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal makes the value of an entry. It holds for this name alone.
func (n name) seal(e entry) ([]byte, error) {
	aead, err := n.aead()
	if err != nil {
		return nil, err
	}
	var room [1024]byte
	plain := append(room[:0], version)
	plain = binary.BigEndian.AppendUint64(plain, uint64(e.clock)) //nolint:gosec // the same bits come back
	plain = store.AppendPacked(plain, e.principal)
	return aead.Seal(nil, nil, plain, []byte(n.redis)), nil
}

// open reads what seal made. Anything else is an error.
func (n name) open(sealed string) (entry, error) {
	aead, err := n.aead()
	if err != nil {
		return entry{}, err
	}
	plain, err := aead.Open(nil, nil, []byte(sealed), []byte(n.redis))
	if err != nil || len(plain) < head || plain[0] != version {
		return entry{}, errEntry
	}
	p, err := store.Unpack(string(plain[head:]))
	if err != nil {
		return entry{}, err
	}
	return entry{clock: clock(binary.BigEndian.Uint64(plain[1:head])), principal: p}, nil //nolint:gosec // as it was written
}
