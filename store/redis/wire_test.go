package redis

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/store"
)

func reader(text string) wire { return wire{bufio.NewReader(strings.NewReader(text))} }

func TestWire(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		"+OK\r\n":                      "OK",
		"-ERR no\r\n":                  refusal("ERR no"),
		"!6\r\nERR no\r\n":             refusal("ERR no"),
		":-12\r\n":                     int64(-12),
		"$0\r\n\r\n":                   "",
		"$4\r\na\r\nb\r\n":             "a\r\nb",
		"$-1\r\n":                      nil,
		"*-1\r\n":                      nil,
		"_\r\n":                        nil,
		"#t\r\n":                       "t",
		"=5\r\ntxt:a\r\n":              "txt:a",
		"*2\r\n:1\r\n*0\r\n":           []any{int64(1), []any{}},
		"~1\r\n+a\r\n":                 []any{"a"},
		"%1\r\n+role\r\n+master\r\n":   []any{"role", "master"},
		">2\r\n+invalidate\r\n_\r\n":   push{"invalidate", nil},
		"|1\r\n+a\r\n+b\r\n+value\r\n": "value",
	} {
		got, err := reader(text).read()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %#v, %v; want %#v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "\r\n", "+OK\n", "x\r\n", "HTTP/1.1 400 Bad Request\r\n", "$4\r\nabcdef", "$2\r\nab", "$-2\r\n", "$x\r\n", "*1\r\n", ":x\r\n",
		fmt.Sprintf("$%d\r\n", longestText+1), "$9223372036854775807\r\n", "*9223372036854775807\r\n", "%9223372036854775807\r\n",
		strings.Repeat("*1\r\n", 20), strings.Repeat("|0\r\n", 20), "+" + strings.Repeat("a", 100_000) + "\r\n",
	} {
		if got, err := reader(text).read(); err == nil {
			t.Errorf("%.40q: %#v", text, got)
		}
	}
}

// FuzzWire: whatever a server sends, reading it ends, and what was said unasked is taken.
func FuzzWire(f *testing.F) {
	f.Add(">2\r\n$10\r\ninvalidate\r\n*1\r\n$7\r\np:token\r\n+PONG\r\n")
	f.Add(">4\r\n+pmessage\r\n+p\r\n+__keyspace@0__:p:token\r\n+set\r\n")
	f.Add("*4\r\n+pmessage\r\n:1\r\n:2\r\n:3\r\n%1\r\n+role\r\n_\r\n")
	f.Add(">2\r\n+invalidate\r\n_\r\n*3\r\n:0\r\n:1\r\n*3\r\n+a\r\n:1\r\n+id\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		w := reader(text)
		e := &ear{prefix: "p:", notices: deaf{}}
		for {
			word, err := w.read()
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && err.Error() == "" {
					t.Error("an error without words")
				}
				return
			}
			_ = e.told(word)
			_ = primary(word)
			_ = onlyKnown(word, map[string]bool{"id": true})
		}
	})
}

// deaf hears nothing.
type deaf struct{ store.Notices }

func (deaf) Changed(time.Time, ...store.Tag) {}
func (deaf) ChangedAll()                     {}
