package config

import (
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Toggle is true, false, or `auto`: left to what else is known. Its zero value is auto.
type Toggle uint8

// The toggles.
const (
	Auto Toggle = iota
	On
	Off
)

func (t Toggle) String() string {
	switch t {
	case On:
		return "true"
	case Off:
		return "false"
	default:
		return "auto"
	}
}

// Or is the answer, where automatic is that of auto.
func (t Toggle) Or(automatic bool) bool { return t == On || t == Auto && automatic }

func (t *Toggle) read(d *decoder, n *yaml.Node, path string) {
	text, ok := d.text(n, path, "auto, true or false")
	if !ok {
		return
	}
	b, ok := parseBool(text)
	switch {
	case strings.EqualFold(text, "auto"):
		*t = Auto
	case ok && b:
		*t = On
	case ok:
		*t = Off
	default:
		d.at(d.place(n), path, "%s: must be auto, true or false", quoted(text))
	}
}

// parseBool reads the words people write for yes and no. Everything else is neither: a word that switches the gate off
// must be one.
func parseBool(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		return true, true
	case "false", "no", "off", "0":
		return false, true
	default:
		return false, false
	}
}

// parseDuration reads Go's syntax, and days before it: 7d, 1d12h, 1.5s.
func parseDuration(text string) (time.Duration, bool) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		d, err := time.ParseDuration(text)
		return d, err == nil
	}
	n, err := strconv.ParseFloat(days, 64)
	if err != nil || days[len(days)-1] < '0' || days[len(days)-1] > '9' { // no exponents, no "Inf"
		return 0, false
	}
	var more time.Duration
	if rest != "" {
		if more, err = time.ParseDuration(rest); err != nil || more < 0 || n < 0 {
			return 0, false
		}
	}
	nanoseconds := n * float64(24*time.Hour)
	if math.Abs(nanoseconds) > math.MaxInt64/2 || more > math.MaxInt64/2 {
		return 0, false
	}
	return time.Duration(nanoseconds) + more, true
}

// formatDuration is the shortest way to write it in Go's syntax.
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
