package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// announcement is what the terminal is told once everything answers.
type announcement struct {
	origin string
	usher  *Usher
	people []ticket
}

// startLimit is how long everything may take to answer; it takes milliseconds.
const startLimit = 10 * time.Second

// ready waits until a signed-in request passes the whole way, and the sign-in page and the gate's other listeners answer too.
func (a *announcement) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := a.check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("not everything answers after %s: %w", startLimit, err)
			}
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (a *announcement) check(ctx context.Context) error {
	client := &http.Client{Transport: transport(), Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	get := func(url, cookie string) ([]byte, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Accept", "application/json")
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		answer, err := client.Do(r)
		if err != nil {
			return nil, err
		}
		defer closeQuietly(answer.Body)
		body, err := io.ReadAll(io.LimitReader(answer.Body, maxDenial))
		if err == nil && answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s answers %s: %s", url, answer.Status, strings.TrimSpace(string(body)))
		}
		return body, err
	}

	if _, err := get("http://"+a.usher.Ops+"/readyz", ""); err != nil {
		return err
	}
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", a.usher.GRPC)
	if err != nil {
		return err
	}
	closeQuietly(connection)
	if _, err := get(a.origin+"/sign-in", ""); err != nil {
		return err
	}
	for _, t := range a.people {
		body, err := get(a.origin+"/", t.cookie)
		if err != nil {
			return err
		}
		if !strings.Contains(string(body), t.person.ID) {
			return fmt.Errorf("the backend does not see %s", t.person.Name)
		}
	}
	return nil
}

// document is contract section 2.1.
type document struct {
	URL  string `json:"url"`
	Gate struct {
		HTTP string `json:"http"`
		GRPC string `json:"grpc"`
		Ops  string `json:"ops"`
	} `json:"gate"`
	People []documentPerson `json:"people"`
}

type documentPerson struct {
	Name          string           `json:"name"`
	Email         string           `json:"email"`
	UserID        string           `json:"user_id"`
	Cookie        string           `json:"cookie"`
	Bearer        string           `json:"bearer"`
	Organizations []documentMember `json:"organizations"`
}

type documentMember struct {
	ID   string `json:"id"`
	Slug string `json:"slug"`
	Role string `json:"role"`
}

func (a *announcement) print(w io.Writer, asJSON bool) error {
	if !asJSON {
		_, err := io.WriteString(w, a.text())
		return err
	}
	d := document{URL: a.origin + "/"}
	d.Gate.HTTP, d.Gate.GRPC, d.Gate.Ops = "http://"+a.usher.HTTP, a.usher.GRPC, "http://"+a.usher.Ops
	for _, t := range a.people {
		p := documentPerson{Name: t.person.Name, Email: t.person.Email, UserID: t.person.ID, Cookie: t.cookie, Bearer: t.bearer}
		for _, m := range t.person.Memberships {
			p.Organizations = append(p.Organizations, documentMember{m.Organization.ID, m.Organization.Slug, m.Role})
		}
		d.People = append(d.People, p)
	}
	return json.NewEncoder(w).Encode(d)
}

func (a *announcement) text() string {
	first, other := a.people[0], a.people[1]
	line := curl(a.origin+"/", first.cookie, nil)
	spoof := curl(a.origin+"/", first.cookie, []header{{"X-User-Id", other.person.ID}})
	return fmt.Sprintf(`The demo runs. Open

    %s/

or ask from another terminal, as %s:

    %s

Then claim to be %s; the backend still sees %s:

    %s

The gate listens on http://%s and, for Envoy, on %s (gRPC); metrics: http://%s/metrics
Ctrl-C stops it and leaves nothing behind.
`, a.origin, first.person.Name, line, other.person.Name, first.person.Name, spoof, a.usher.HTTP, a.usher.GRPC, a.usher.Ops)
}
