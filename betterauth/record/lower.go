package record

import (
	"strings"
	"unicode"
)

// Lower is a text in lower case as JavaScript's toLowerCase has it, which decides who has an e-mail address. Go's own
// makes an i of İ, so that another address than the one that was verified would be found; and knows no final sigma.
func Lower(text string) string {
	if isASCII(text) {
		return strings.ToLower(text)
	}
	letters := []rune(text)
	var b strings.Builder
	for i, c := range letters {
		switch {
		case c == 'İ':
			b.WriteString("i\u0307")
		case c == 'Σ' && cased(letters[:i], true) && !cased(letters[i+1:], false):
			b.WriteRune('ς')
		default:
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return b.String()
}

// cased reports whether the nearest letter is one that has a case; marks and points within words are passed over.
func cased(letters []rune, backwards bool) bool {
	for i := range letters {
		c := letters[i]
		if backwards {
			c = letters[len(letters)-1-i]
		}
		if unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune("'.:·’", c) {
			continue
		}
		return unicode.IsUpper(c) || unicode.IsLower(c) || unicode.IsTitle(c)
	}
	return false
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}
