package forwardauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/gate"
)

// ticketLife is how long a refusal may take from the check to the answer, which nginx asks for at once.
const ticketLife = 30 * time.Second

// ticketVersion is the first part of every ticket. A change of format changes it: replicas of two releases may share
// the work for a while.
const ticketVersion = "1"

// tickets carry a refusal through nginx, from the check to the answer: version.verdict.reason.expiry.signature. They are
// signed, so that nobody can make us show a sign-in page or a reason that was never given, and bound to one request.
type tickets struct {
	key []byte
	now func() time.Time
}

// kinds are the verdicts a ticket can carry. There is none for Allow.
var kinds = [...]struct {
	letter  string
	verdict gate.Verdict
}{{"d", gate.Deny}, {"s", gate.SignIn}, {"u", gate.Unavailable}}

// issue makes a ticket for a refusal of the request that binding names.
func (t tickets) issue(d gate.Decision, binding [2][]string) string {
	letter := kinds[0].letter
	for _, kind := range kinds {
		if kind.verdict == d.Verdict {
			letter = kind.letter
		}
	}
	expiry := strconv.FormatInt(t.now().Add(ticketLife).Unix(), 10)
	text := ticketVersion + "." + letter + "." + string(d.Reason) + "." + expiry
	return text + "." + encode(t.sign(text, binding))
}

func encode(signature []byte) string { return base64.RawURLEncoding.EncodeToString(signature) }

// redeem reads a ticket of ours, for this request, that has not expired.
func (t tickets) redeem(ticket string, binding [2][]string) (gate.Decision, bool) {
	at := strings.LastIndexByte(ticket, '.')
	if at < 0 {
		return gate.Decision{}, false
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(ticket[at+1:])
	if err != nil || !hmac.Equal(signature, t.sign(ticket[:at], binding)) {
		return gate.Decision{}, false
	}
	parts := strings.Split(ticket[:at], ".")
	if len(parts) != 4 || parts[0] != ticketVersion {
		return gate.Decision{}, false
	}
	expiry, err := strconv.ParseInt(parts[3], 10, 64)
	if err != nil || t.now().Unix() >= expiry {
		return gate.Decision{}, false
	}
	for _, kind := range kinds {
		if kind.letter == parts[1] {
			return gate.Decision{Verdict: kind.verdict, Reason: gate.Reason(parts[2])}, true
		}
	}
	return gate.Decision{}, false
}

// sign covers the text and the request, each part with its length, so that no two cases give the same bytes.
func (t tickets) sign(text string, binding [2][]string) []byte {
	mac := hmac.New(sha256.New, t.key)
	write := func(s string) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(s)))
		mac.Write(length[:])
		mac.Write([]byte(s))
	}
	write(text)
	for _, lines := range binding {
		write(strconv.Itoa(len(lines)))
		for _, line := range lines {
			write(line)
		}
	}
	return mac.Sum(nil)
}
