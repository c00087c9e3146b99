package testenv

import (
	"strings"
	"sync"
)

// tail keeps the last bytes written to it: a proxy at debug level must not fill the memory of the test.
type tail struct {
	most int
	mu   sync.Mutex
	data []byte
}

func newTail(most int) *tail { return &tail{most: most} }

func (b *tail) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, p...)
	if len(b.data) > 2*b.most { // twice, so that not every write moves everything
		b.data = append([]byte(nil), b.data[len(b.data)-b.most:]...)
	}
	return len(p), nil
}

func (b *tail) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.data)
}

// line finds the first complete line that contains the text.
func (b *tail) line(text string) (string, bool) {
	for line := range strings.Lines(b.String()) {
		if whole, ok := strings.CutSuffix(line, "\n"); ok && strings.Contains(whole, text) {
			return strings.TrimSuffix(whole, "\r"), true
		}
	}
	return "", false
}
