package redis

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A connection that listens speaks Redis' protocol itself. The library reads what a server sends unasked only when it
// next sends a command, and where that stands among the answers, on which the proof of completeness rests, it does not
// say.

// What a value on the wire becomes: string, int64, nil, []any (also a set, and a map as keys and values in turn), and:
type (
	refusal string // an error, as an answer
	push    []any  // not an answer to anything
)

func (r refusal) Error() string { return string(r) }

// newRefusal leaves out what an unknown command came with, which a server repeats: of HELLO it is the password.
func newRefusal(text string) refusal {
	text, _, _ = strings.Cut(text, ", with args beginning with")
	return refusal(text)
}

// Bounds of what is read. A server that exceeds them is left, and what it said is not needed then.
const (
	longestText = 1 << 20
	mostMembers = 1 << 20
	deepest     = 8
)

var errTooMuch = errors.New("more was sent than is ever needed")

// wire reads the protocol's versions 2 and 3.
type wire struct{ *bufio.Reader }

func (w wire) read() (any, error) { return w.value(deepest) }

func (w wire) value(depth int) (any, error) {
	line, err := w.line()
	if err != nil {
		return nil, err
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+', ',', '(', '#':
		return rest, nil
	case '-':
		return newRefusal(rest), nil
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	case '_':
		return nil, nil
	}
	n, err := strconv.ParseInt(rest, 10, 64)
	switch {
	case err != nil || n < -1:
		return nil, fmt.Errorf("a length that is none: %.20q", line)
	case n == -1:
		return nil, nil // version 2's
	}
	switch kind {
	case '$', '=', '!':
		text, err := w.text(n)
		if err == nil && kind == '!' {
			return newRefusal(text), nil
		}
		return text, err
	case '*', '~':
		return w.members(n, depth)
	case '>':
		members, err := w.members(n, depth)
		return push(members), err
	case '%':
		return w.members(2*min(n, mostMembers), depth)
	case '|': // attributes of the value that follows
		if _, err := w.members(2*min(n, mostMembers), depth); err != nil {
			return nil, err
		}
		return w.value(depth - 1)
	}
	return nil, fmt.Errorf("nothing of Redis' protocol: %.20q", line)
}

// line returns what is before the next CR LF, never empty.
func (w wire) line() (string, error) {
	line, err := w.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", errTooMuch
	case err != nil:
		return "", err
	}
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok || text == "" {
		return "", fmt.Errorf("nothing of Redis' protocol: %.20q", line)
	}
	return text, nil
}

func (w wire) text(n int64) (string, error) {
	if n > longestText {
		return "", errTooMuch
	}
	text := make([]byte, n+2)
	if _, err := io.ReadFull(w, text); err != nil {
		return "", err
	}
	if string(text[n:]) != "\r\n" {
		return "", errors.New("a text that does not end where it should")
	}
	return string(text[:n]), nil
}

func (w wire) members(n int64, depth int) ([]any, error) {
	if n > mostMembers || depth == 0 {
		return nil, errTooMuch
	}
	members := make([]any, 0, min(n, 64)) // not what it says: that may be a lie
	for range n {
		member, err := w.value(depth - 1)
		if err != nil {
			return nil, err
		}
		members = append(members, member)
	}
	return members, nil
}

// command writes a command as the protocol does in every version.
func command(words ...string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, word := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(word), word)
	}
	return b
}

// member finds a name in a map, which was read as names and values in turn.
func member(of any, name string) any {
	list, _ := of.([]any)
	for i := 0; i+1 < len(list); i += 2 {
		if list[i] == name {
			return list[i+1]
		}
	}
	return nil
}

// contains reports whether a list has this text.
func contains(list any, text string) bool {
	members, _ := list.([]any)
	for _, m := range members {
		if m == text {
			return true
		}
	}
	return false
}
