package idtoken

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/usherauth/usher/oauth/provider/wire"
)

// ErrRefused is every reason not to believe a token. The text behind it says which, and nothing of the token.
var ErrRefused = errors.New("id_token refused")

const (
	// tolerance is how far the provider's clock may be from ours (Better Auth 1.7.25 has the same 30 seconds).
	tolerance = 30 * time.Second
	// maxLength of a token in bytes. Microsoft's with many groups reach some 10 KiB.
	maxLength = 64 << 10
)

// Algorithms keeps those of offered which are asymmetric signatures; nil and empty mean all of them. "none" and HMAC
// are never among them, whatever a provider lists.
func Algorithms(offered []string) []string {
	all := asymmetric()
	var kept []string
	for _, a := range all {
		if len(offered) == 0 || slices.Contains(offered, string(a)) {
			kept = append(kept, string(a))
		}
	}
	return kept
}

func asymmetric() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.ES256, jose.EdDSA, jose.PS256, jose.RS384, jose.RS512, jose.ES384, jose.ES512, jose.PS384, jose.PS512,
	}
}

// Rule is what a token must say. Its zero value refuses every token.
type Rule struct {
	Issuers    []string                // one of them; empty: Claims must look at the issuer itself, and must not be nil
	Audiences  []string                // our client ids, one of which must be named
	Algorithms []string                // of Algorithms, or HS256 with a Secret
	MaxAge     time.Duration           // since it was issued; 0 is no limit
	Nonce      string                  // empty is not compared
	NonceHash  bool                    // the claim may also be the hex SHA-256 of Nonce (Apple's native apps)
	Claims     func(*wire.Object) bool // a last look; nil is content
}

// Verify returns the claims of a token whose signature and whose content hold.
func Verify(ctx context.Context, token string, keys oidc.KeySet, r Rule, now time.Time) (*wire.Object, error) {
	if len(token) > maxLength {
		return nil, refused("too long")
	}
	if len(r.Audiences) == 0 || len(r.Algorithms) == 0 || len(r.Issuers) == 0 && r.Claims == nil {
		return nil, refused("nobody said what it must be")
	}
	// go-oidc has no tolerance for the expiry, compares one audience, and reads claims with encoding/json; issuer,
	// audience and times are therefore compared below, on claims that can be read in one way only.
	verifier := oidc.NewVerifier("", keys, &oidc.Config{
		SupportedSigningAlgs: r.Algorithms, SkipClientIDCheck: true, SkipIssuerCheck: true,
		Now: func() time.Time { return now.Add(-tolerance) },
	})
	verified, err := verifier.Verify(ctx, token)
	if err != nil {
		return nil, unverified(ctx, err)
	}
	var raw json.RawMessage
	if err := verified.Claims(&raw); err != nil {
		return nil, refused("claims")
	}
	claims, err := wire.ParseObject(raw)
	if err != nil {
		return nil, refused("claims that are " + err.Error())
	}
	if err := r.check(claims, now); err != nil {
		return nil, err
	}
	return claims, nil
}

// unverified drops go-oidc's words, which quote the token, and keeps what kind of failure it was.
func unverified(ctx context.Context, err error) error {
	if _, expired := errors.AsType[*oidc.TokenExpiredError](err); expired {
		return refused("expired")
	}
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("%w: %w", ErrRefused, cause)
	}
	return refused("signature, algorithm or key")
}

func (r Rule) check(claims *wire.Object, now time.Time) error {
	if iss := claims.Text("iss"); iss == "" || len(r.Issuers) > 0 && !slices.Contains(r.Issuers, iss) {
		return refused("issuer")
	}
	if !r.audience(claims) {
		return refused("audience")
	}
	if claims.Text("sub") == "" {
		return refused("no subject")
	}
	exp, hasExp := seconds(claims, "exp")
	iat, hasIat := seconds(claims, "iat")
	switch {
	case !hasExp || !hasIat:
		return refused("no exp or no iat")
	case !exp.After(now.Add(-tolerance)):
		return refused("expired")
	case iat.After(now.Add(tolerance)):
		return refused("issued in the future")
	case r.MaxAge > 0 && now.Sub(iat) > r.MaxAge+tolerance:
		return refused("too old")
	}
	if claims.Has("nbf") {
		if nbf, ok := seconds(claims, "nbf"); !ok || nbf.After(now.Add(tolerance)) {
			return refused("not yet valid")
		}
	}
	if r.Nonce != "" && !r.nonce(claims.Text("nonce")) {
		return refused("nonce")
	}
	if r.Claims != nil && !r.Claims(claims) {
		return refused("claims")
	}
	return nil
}

// audience wants one of ours among those named; of several, the party it was issued to must be ours as well.
func (r Rule) audience(claims *wire.Object) bool {
	switch aud := claims.Get("aud").(type) {
	case string:
		return aud != "" && slices.Contains(r.Audiences, aud)
	case []any:
		found := false
		for _, a := range aud {
			name, ok := a.(string)
			if !ok {
				return false
			}
			found = found || name != "" && slices.Contains(r.Audiences, name)
		}
		azp, has := claims.Get("azp").(string)
		return found && (len(aud) == 1 || !has || slices.Contains(r.Audiences, azp))
	}
	return false
}

func (r Rule) nonce(claim string) bool {
	if subtle.ConstantTimeCompare([]byte(claim), []byte(r.Nonce)) == 1 {
		return true
	}
	sum := sha256.Sum256([]byte(r.Nonce))
	return r.NonceHash && subtle.ConstantTimeCompare([]byte(claim), []byte(hex.EncodeToString(sum[:]))) == 1
}

// seconds reads a NumericDate (RFC 7519, section 2).
func seconds(claims *wire.Object, name string) (time.Time, bool) {
	n, ok := claims.Get(name).(json.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > 1e11 { // the year 5138: milliseconds would be beyond
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0), true
}

func refused(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }

// Decode reads the claims of a token without believing them: for one that was verified when it was stored, and for
// claims that are only compared with others.
func Decode(token string) (*wire.Object, error) {
	if len(token) > maxLength {
		return nil, refused("too long")
	}
	algorithms := append(asymmetric(), jose.HS256, jose.HS384, jose.HS512)
	jws, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return nil, refused("not a token")
	}
	claims, err := wire.ParseObject(jws.UnsafePayloadWithoutVerification())
	if err != nil {
		return nil, refused("claims that are " + err.Error())
	}
	return claims, nil
}

// Secret is a key set of one shared secret, for providers that sign with HS256 and the client secret (LINE). It is
// never mixed with public keys.
type Secret string

// String, and with it every way of printing, hides the secret.
func (Secret) String() string { return "secret(redacted)" }

// GoString hides it from %#v.
func (Secret) GoString() string { return "secret(redacted)" }

// VerifySignature implements oidc.KeySet.
func (s Secret) VerifySignature(_ context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil || s == "" || len(jws.Signatures) != 1 {
		return nil, errors.New("not a token signed with HS256")
	}
	// go-jose refuses secrets below 32 bytes; how long a provider's client secret is, is not ours to say.
	mac := hmac.New(sha256.New, []byte(s))
	mac.Write([]byte(token[:strings.LastIndexByte(token, '.')]))
	if !hmac.Equal(mac.Sum(nil), jws.Signatures[0].Signature) {
		return nil, errors.New("the signature is wrong")
	}
	return jws.UnsafePayloadWithoutVerification(), nil
}

// Algorithm is the one a token says it is signed with, "" for what is no token.
func Algorithm(token string) string {
	jws, err := jose.ParseSignedCompact(token, append(asymmetric(), jose.HS256))
	if err != nil || len(jws.Signatures) != 1 {
		return ""
	}
	return jws.Signatures[0].Header.Algorithm
}
