package record

import "testing"

// The texts on the right are node's "…".toLowerCase().
func TestLowerIsJavaScripts(t *testing.T) {
	for text, want := range map[string]string{
		"Ada@Example.COM": "ada@example.com", "İ@x.example": "i\u0307@x.example", "K@x.example": "k@x.example",
		"ΟΔΟΣ@x": "οδος@x", "ΣΟΦΟΣ ΟΔΟΣ": "σοφος οδος", "Σ": "σ", "ÄÖÜ": "äöü", "": "",
	} {
		if got := Lower(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
