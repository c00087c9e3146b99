package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const rig = "rig-secret-rig-secret-rig-secret-0123456789"

// The vectors of better-auth-oauth.md, section 0.4, made by the library.
func TestVectors(t *testing.T) {
	zero := func() []byte { return make([]byte, 24) }
	zeros := strings.Repeat("0", 48)
	for name, c := range map[string]struct{ got, want string }{
		"key of states": {derive(rig, StateCookie), "d2bbed5af014a2c28b99a59e0ff84990dccecdae6f1efd4c5f6d2a7bbe13926c"},
		"key of links":  {derive(rig, LinkSession), "11bfb71f23eda2fc5f927d6cdb8555957787bd468224728442c6fec4543a2cb1"},
		"token":         {NewKeys(rig, nil, 0).encrypt(zero(), "ya29.token"), zeros + "27c9956cc60d68fbbc17dbe39af3ffecc75d47301020f863ffbb"},
		"state":         {NewKeys(rig, nil, 0).For(StateCookie).encrypt(zero(), "{}"), zeros + "6a17cfef40b8aa57c475a5f12ced5247f533"},
		"version":       {NewKeys("", map[int]string{2: rig}, 2).encrypt(zero(), "ya29.token"), "$ba$2$" + zeros + "27c9956cc60d68fbbc17dbe39af3ffecc75d47301020f863ffbb"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", name, c.got, c.want)
		}
	}
}

func TestEverySecretOpensWhatItSealed(t *testing.T) {
	old := NewKeys("first", nil, 0)
	first := NewKeys("first", map[int]string{1: "second"}, 1)
	both := NewKeys("first", map[int]string{2: "third", 1: "second"}, 2)
	for _, purpose := range []string{"", StateCookie} {
		of := func(k *Keys) *Keys {
			if purpose == "" {
				return k
			}
			return k.For(purpose)
		}
		for _, sealed := range []string{of(old).Encrypt("täxt"), of(first).Encrypt("täxt"), of(both).Encrypt("täxt")} {
			if got, err := of(both).Decrypt(sealed); err != nil || got != "täxt" {
				t.Errorf("purpose %q: %q, %v", purpose, got, err)
			}
		}
		if _, err := of(first).Decrypt(of(both).Encrypt("x")); !errors.Is(err, ErrUnreadable) {
			t.Errorf("purpose %q: a version that is not there opened: %v", purpose, err)
		}
	}
	if one, other := old.Encrypt("x"), old.Encrypt("x"); one == other {
		t.Error("two nonces are equal")
	}
}

// GHSA-r4xp-prcw-77qf: one key for several purposes was an oracle.
func TestPurposesDoNotOpenEachOthersTexts(t *testing.T) {
	k := NewKeys(rig, nil, 0)
	for _, other := range []*Keys{k, k.For(LinkSession)} {
		if _, err := other.Decrypt(k.For(StateCookie).Encrypt("{}")); !errors.Is(err, ErrUnreadable) {
			t.Errorf("opened with another purpose's key: %v", err)
		}
	}
}

func TestNothingElseOpens(t *testing.T) {
	k := NewKeys(rig, map[int]string{1: rig}, 1)
	sealed := NewKeys(rig, nil, 0).Encrypt("x")
	for _, text := range []string{"", "$ba$", "$ba$1", "$ba$1$", "$ba$-1$" + sealed, "$ba$9$" + sealed, "$ba$x$" + sealed, "zz", "00", sealed[:len(sealed)-2], sealed + "00", "00" + sealed[2:] + "ff"} {
		if got, err := k.Decrypt(text); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%q opened as %q, %v", text, got, err)
		}
	}
	none := NewKeys("", nil, 0)
	if got, err := none.Decrypt(none.Encrypt("x")); err == nil {
		t.Errorf("without a secret %q was readable", got)
	}
}

func TestKeysDoNotPrintTheirSecrets(t *testing.T) {
	k := NewKeys("bare-secret", map[int]string{1: "versioned-secret"}, 1)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "keys", k)
	body, _ := json.Marshal(map[string]any{"keys": k})
	if all := fmt.Sprintf("%v %+v %#v %s %d", k, k, k, k, k) + string(body) + log.String(); strings.Contains(all, "secret") {
		t.Error(all)
	}
}

func TestLooksSealed(t *testing.T) {
	for token, want := range map[string]bool{"": false, "abc": false, "ya29.x": false, "abcd": true, "ABCD": true, "$ba$1$zz": true, "gho_ab": false} {
		if LooksSealed(token) != want {
			t.Errorf("%q", token)
		}
	}
}

func FuzzDecrypt(f *testing.F) {
	f.Add("$ba$1$00")
	f.Add(NewKeys(rig, nil, 0).Encrypt("x"))
	k := NewKeys(rig, map[int]string{1: "other"}, 1)
	f.Fuzz(func(t *testing.T, sealed string) {
		if plain, err := k.Decrypt(sealed); err != nil && plain != "" {
			t.Error("an error with a text")
		}
	})
}
