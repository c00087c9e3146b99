package provider

import "testing"

// The Kelvin sign is an ASCII k in lower case, which is what addresses are compared in: whoever has a mailbox with one
// would enter the account of whoever has it with a k (as GitHub's password reset of 2019 was entered).
func TestAnAddressThatBecomesAnotherInLowerCaseProvesNothing(t *testing.T) {
	for email, want := range map[string]bool{
		"mike@example.com": true, "MIKE@EXAMPLE.COM": true, "mi\u212ae@example.com": false, "\u0130da@example.com": false,
		"zoë@example.com": true, "ZOË@example.com": true, "ада@example.com": true,
	} {
		if got := oneReading(email); got != want {
			t.Errorf("%q: %v", email, got)
		}
	}
}
