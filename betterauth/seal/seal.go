package seal

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// ErrUnreadable is what Decrypt says of everything that none of its keys made. It never names the text.
var ErrUnreadable = errors.New("seal: the text cannot be decrypted")

const (
	envelope = "$ba$"
	salt     = "better-auth:oauth-encryption:v1"

	// StateCookie is the purpose of a state that is kept in a cookie.
	StateCookie = "oauth-state-cookie"
	// LinkSession is the purpose of the session's token inside a state that links an account.
	LinkSession = "oauth-link-session-token"
)

// Keys are the secrets texts are sealed with. Make them with NewKeys; they are safe for concurrent use.
type Keys struct {
	bare     string         // of texts without a version; "": there are none
	versions map[int]string // of texts with one
	current  int
}

// NewKeys takes Better Auth's options. Without versions (`secret` alone) texts are sealed with current and carry no
// version. With versions (`secrets`) new texts carry currentVersion, and current, which may be empty, is the older single
// secret that opens texts without one.
func NewKeys(current string, versioned map[int]string, currentVersion int) *Keys {
	return &Keys{bare: current, versions: maps.Clone(versioned), current: currentVersion}
}

// String keeps the secrets out of logs.
func (k *Keys) String() string { return "seal.Keys(redacted)" }

// Format does the same for every verb.
func (k *Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// For is the keys of one purpose, each derived from one of k: texts of one purpose cannot be passed off as another's.
func (k *Keys) For(purpose string) *Keys {
	derived := &Keys{current: k.current}
	if k.bare != "" {
		derived.bare = derive(k.bare, purpose)
	}
	if len(k.versions) > 0 {
		derived.versions = make(map[int]string, len(k.versions))
		for version, secret := range k.versions {
			derived.versions[version] = derive(secret, purpose)
		}
	}
	return derived
}

func derive(secret, purpose string) string {
	key, err := hkdf.Key(sha256.New, []byte(secret), []byte(salt), "better-auth:"+purpose+":v1", sha256.Size)
	if err != nil {
		panic("seal: HKDF of 32 bytes: " + err.Error()) // only for lengths beyond 255 hashes
	}
	return hex.EncodeToString(key)
}

// Encrypt seals plain. Keys without any secret seal with a random one, so that nobody can open the text: a mistake of
// wiring must not become a key everybody knows.
func (k *Keys) Encrypt(plain string) string {
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	_, _ = rand.Read(nonce) // never fails: it ends the process instead
	return k.encrypt(nonce, plain)
}

func (k *Keys) encrypt(nonce []byte, plain string) string {
	secret, prefix := k.bare, ""
	if len(k.versions) > 0 {
		secret, prefix = k.versions[k.current], envelope+strconv.Itoa(k.current)+"$"
	}
	if secret == "" {
		secret = rand.Text()
	}
	key := sha256.Sum256([]byte(secret))
	box, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		panic("seal: a key of 32 bytes: " + err.Error())
	}
	return prefix + hex.EncodeToString(box.Seal(nonce, nonce, []byte(plain), nil))
}

// Decrypt opens what Encrypt or the library sealed with any of the keys, else ErrUnreadable.
func (k *Keys) Decrypt(sealed string) (string, error) {
	secret, text := k.bare, sealed
	// Without versions the library takes the text for hexadecimal as it is, so a version is no use to it.
	if rest, ok := strings.CutPrefix(sealed, envelope); ok && len(k.versions) > 0 {
		version, after, found := strings.Cut(rest, "$")
		number, err := strconv.Atoi(version)
		if !found || err != nil || number < 0 {
			return "", ErrUnreadable
		}
		secret, text = k.versions[number], after
	}
	if secret == "" {
		return "", ErrUnreadable
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) < chacha20poly1305.NonceSizeX {
		return "", ErrUnreadable
	}
	key := sha256.Sum256([]byte(secret))
	box, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return "", ErrUnreadable
	}
	plain, err := box.Open(nil, raw[:chacha20poly1305.NonceSizeX], raw[chacha20poly1305.NonceSizeX:], nil)
	if err != nil {
		return "", ErrUnreadable
	}
	return string(plain), nil
}

// LooksSealed reports whether a stored token may be sealed; the library leaves all others as they are, so tokens from
// before encryptOAuthTokens keep working.
func LooksSealed(token string) bool {
	if strings.HasPrefix(token, envelope) {
		return true
	}
	if token == "" || len(token)%2 != 0 {
		return false
	}
	_, err := hex.DecodeString(token)
	return err == nil
}
