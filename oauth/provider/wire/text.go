package wire

import (
	"strconv"
	"strings"
)

// quoteLimit is how much of a provider's own words is worth a log line.
const quoteLimit = 120

// Quote makes a provider's words fit for an error: secrets it echoed are cut out, the rest is shortened and escaped.
func Quote(s string, secrets ...string) string {
	if len(s) > 4*quoteLimit {
		// Cut before looking for secrets would leave the half of one; cut far behind what is shown does not.
		longest := 0
		for _, secret := range secrets {
			longest = max(longest, len(secret))
		}
		s = s[:min(len(s), 4*quoteLimit+3*longest)]
	}
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "…")
			s = strings.ReplaceAll(s, Escape(secret), "…")
		}
	}
	if len(s) > quoteLimit {
		s = strings.ToValidUTF8(s[:quoteLimit], "") + "…"
	}
	return strconv.Quote(s)
}
