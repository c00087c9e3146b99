package page

import "strings"

// Device says in words which browser a User-Agent header means: "Firefox on Linux". What it does not know it calls by
// the first product's name, shortened; it is a hint for people, not an identification.
func Device(userAgent string) string {
	browser, system := "", ""
	for _, known := range [...]struct{ mark, name string }{ // the more special ones first: they all imitate each other
		{"Edg", "Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"Vivaldi/", "Vivaldi"},
		{"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
	} {
		if strings.Contains(userAgent, known.mark) {
			browser = known.name
			break
		}
	}
	for _, known := range [...]struct{ mark, name string }{
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"Android", "Android"},
		{"Windows", "Windows"},
		{"CrOS", "ChromeOS"},
		{"Mac OS X", "macOS"},
		{"Macintosh", "macOS"},
		{"Linux", "Linux"},
	} {
		if strings.Contains(userAgent, known.mark) {
			system = known.name
			break
		}
	}
	switch {
	case browser != "" && system != "":
		return browser + " on " + system
	case browser != "" || system != "":
		return browser + system
	}
	product, _, _ := strings.Cut(strings.TrimSpace(userAgent), "/")
	product, _, _ = strings.Cut(product, " ")
	if product = printable(product); product == "" {
		return "Unknown device"
	}
	return product
}

// printable keeps what can be shown of a word, 40 characters at most.
func printable(word string) string {
	var kept strings.Builder
	for _, r := range word {
		if r > ' ' && r < 0x7f && kept.Len() < 40 {
			kept.WriteRune(r)
		}
	}
	return kept.String()
}
