package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// metrics are the values of /metrics, by name and labels as they stand there.
type metrics map[string]float64

// sum adds up the values of a name, those that have all of these labels.
func (m metrics) sum(name string, labels ...string) (total float64) {
	for key, value := range m {
		found, rest, _ := strings.Cut(key, "{")
		lacks := func(label string) bool { return !strings.Contains(rest, label) }
		if found == name && !slices.ContainsFunc(labels, lacks) {
			total += value
		}
	}
	return total
}

func (u *usher) metrics() (metrics, error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + u.ops + "/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	found := metrics{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		name, text, ok := cutLast(lines.Text(), " ")
		value, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("/metrics has the line %q", lines.Text())
		}
		found[name] = value
	}
	return found, lines.Err()
}

func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// mustMetrics is metrics for what has to answer.
func (u *usher) mustMetrics(t *testing.T) metrics {
	t.Helper()
	m, err := u.metrics()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ready is what /readyz says.
type ready struct {
	code       int
	Status     string
	Checks     map[string]string
	Revocation string // "complete", or "ttl-bound: " and why
}

func (u *usher) ready(t *testing.T) ready {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + u.ops + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	said := ready{code: response.StatusCode}
	if err := json.NewDecoder(response.Body).Decode(&said); err != nil {
		t.Fatal(err)
	}
	return said
}

// awaitRevocation waits until /readyz says, of the news of what is revoked, something that begins so.
func (u *usher) awaitRevocation(t *testing.T, prefix string) string {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		said := u.ready(t).Revocation
		if strings.HasPrefix(said, prefix) {
			return said
		}
		if time.Now().After(deadline) {
			t.Fatalf("/readyz says of revocation %q, not %s", said, prefix)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// logged counts the lines of the log, since then, that contain the text.
func (u *usher) logged(text string, since time.Time) int {
	n := 0
	for line := range strings.Lines(u.proc.Output()) {
		var entry struct{ Time time.Time }
		if strings.Contains(line, text) && json.Unmarshal([]byte(line), &entry) == nil && !entry.Time.Before(since) {
			n++
		}
	}
	return n
}
