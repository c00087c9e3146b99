package page

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// Brand is what an operator may change about the looks. The zero value is plain.
type Brand struct {
	Name       string // shown in the bar and in titles; empty: "Usher"
	Logo       []byte // PNG, JPEG, WebP or SVG, shown beside the name; empty: a little door
	Accent     string // colour of buttons and links, #rrggbb; empty: a green
	AccentDark string // the same where people prefer dark; empty: a lighter shade of Accent
	Home       string // where the bar leads: the site that people sign in to; empty: nowhere
}

// MaxLogo is the largest logo, in bytes: it travels inside every page.
const MaxLogo = 64 << 10

// brand is a Brand that can be drawn.
type brand struct {
	name, logo  string
	light, dark colour
}

const door = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="%s"/>` +
	`<path d="M5 13V6a3 3 0 0 1 6 0v7" fill="none" stroke="%s" stroke-width="2"/></svg>`

// The papers that text in the accent stands on: the cards of style.css.
var (
	lightPaper = colour{0xff, 0xff, 0xff}
	darkPaper  = colour{0x1d, 0x23, 0x20}
)

// readable is the contrast that WCAG 2.2 demands of text (1.4.3, level AA).
const readable = 4.5

func (b Brand) draw() (brand, error) {
	drawn := brand{name: strings.TrimSpace(b.Name), light: colour{0x14, 0x6c, 0x4a}, dark: colour{0x6f, 0xd3, 0xa4}}
	if drawn.name == "" {
		drawn.name = "Usher"
	}
	if b.Accent != "" {
		var err error
		if drawn.light, err = parseColour(b.Accent); err != nil {
			return brand{}, fmt.Errorf("accent: %w", err)
		}
		if drawn.light.contrast(lightPaper) < readable {
			return brand{}, fmt.Errorf("accent: %s is too pale to be read on white; choose a darker shade", b.Accent)
		}
		drawn.dark = drawn.light.lightened(darkPaper)
	}
	if b.AccentDark != "" {
		var err error
		if drawn.dark, err = parseColour(b.AccentDark); err != nil {
			return brand{}, fmt.Errorf("accent_dark: %w", err)
		}
		if drawn.dark.contrast(darkPaper) < readable {
			return brand{}, fmt.Errorf("accent_dark: %s is too dark to be read on black; choose a lighter shade", b.AccentDark)
		}
	}
	kind, err := logoKind(b.Logo)
	if err != nil {
		return brand{}, fmt.Errorf("logo: %w", err)
	}
	image := b.Logo
	if len(image) == 0 {
		image = fmt.Appendf(nil, door, drawn.light, drawn.light.on())
	}
	drawn.logo = "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(image)
	return drawn, nil
}

// logoKind is the media type of an image. A picture in <img> runs no script, whatever an SVG holds.
func logoKind(image []byte) (string, error) {
	switch kind := http.DetectContentType(image); {
	case len(image) > MaxLogo:
		return "", fmt.Errorf("has %d bytes; %d at most, for it is a part of every page", len(image), MaxLogo)
	case len(image) == 0, bytes.Contains(image[:min(len(image), 1024)], []byte("<svg")):
		return "image/svg+xml", nil
	case kind == "image/png", kind == "image/jpeg", kind == "image/webp":
		return kind, nil
	default:
		return "", errors.New("is no PNG, JPEG, WebP or SVG image")
	}
}

// style is the brand's part of the style sheet.
func (b brand) style() string {
	return fmt.Sprintf("\n:root { --accent: %s; --on-accent: %s; }\n@media (prefers-color-scheme: dark) { :root { --accent: %s; --on-accent: %s; } }\n",
		b.light, b.light.on(), b.dark, b.dark.on())
}

// colour is red, green and blue, sRGB.
type colour [3]uint8

func (c colour) String() string { return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2]) }

func parseColour(text string) (colour, error) {
	digits, ok := strings.CutPrefix(text, "#")
	n, err := strconv.ParseUint(digits, 16, 32)
	if !ok || len(digits) != 6 || err != nil {
		return colour{}, fmt.Errorf("%q: write a colour as #1a73e8", text)
	}
	return colour{uint8(n >> 16), uint8(n >> 8), uint8(n)}, nil
}

// luminance is WCAG 2.2's relative luminance.
func (c colour) luminance() float64 {
	var sum float64
	for i, weight := range [3]float64{0.2126, 0.7152, 0.0722} {
		v := float64(c[i]) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}

// contrast is WCAG 2.2's contrast ratio, 1 to 21.
func (c colour) contrast(other colour) float64 {
	a, b := c.luminance(), other.luminance()
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// on is the colour of text on c: the better one of black and white, of which one always suffices.
func (c colour) on() colour {
	white, black := colour{0xff, 0xff, 0xff}, colour{}
	if c.contrast(white) >= c.contrast(black) {
		return white
	}
	return black
}

// lightened mixes in white until it can be read on paper.
func (c colour) lightened(paper colour) colour {
	for c.contrast(paper) < readable {
		for i := range c {
			c[i] += uint8((255 - int(c[i]) + 7) / 8)
		}
	}
	return c
}
