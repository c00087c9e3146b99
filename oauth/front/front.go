package front

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/usherauth/usher/oauth/page"
)

// Provider is one way to sign in, as the configuration names it and as people know it.
type Provider struct{ ID, Name string }

// Config is what the pages need. All but Now and Log are required.
type Config struct {
	API      http.Handler // the companion's own
	BasePath string       // where that is, such as /api/auth
	Origin   string       // ours, as browsers see it
	Secure   bool         // whether our cookies need https

	Pages     *page.Pages
	Providers []Provider // as they are shown

	// Trusts says whether somebody may be led to a URL, or to a path of ours, after signing in.
	Trusts func(url string) bool

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: nobody listens
}

// Front is the pages' routes. It is safe for concurrent use.
type Front struct {
	Config
	forms http.Handler
}

// The paths of the pages.
const (
	SignInPath  = "/sign-in"
	AccountPath = "/account"
)

// New makes the pages.
func New(c Config) (*Front, error) {
	if c.API == nil || c.Pages == nil || c.Trusts == nil || c.Origin == "" {
		return nil, errors.New("front: API, Pages, Trusts and Origin are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	f := &Front{Config: c}
	// Forms come from our own pages alone. SameSite keeps most others out already, unless it was configured away.
	ours := http.NewCrossOriginProtection()
	if err := ours.AddTrustedOrigin(c.Origin); err != nil { // a proxy in front may have changed the Host
		return nil, fmt.Errorf("front: Origin: %w", err)
	}
	ours.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		f.refuse(w, http.StatusForbidden, "This form came from another site, so nothing was done.")
	}))
	f.forms = ours.Handler(http.MaxBytesHandler(http.HandlerFunc(f.change), maxForm))
	return f, nil
}

// maxForm is more than any of our own forms sends.
const maxForm = 16 << 10

// Serves reports whether a path is one of the pages'.
func (f *Front) Serves(path string) bool {
	return path == SignInPath || path == AccountPath || path == f.BasePath+errorPath
}

// errorPath is below the API's path, where Better Auth has its own error page.
const errorPath = "/error"

func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case r.URL.Path == SignInPath && read:
		f.signIn(w, r)
	case r.URL.Path == AccountPath && read:
		f.account(w, r)
	case r.URL.Path == AccountPath && r.Method == http.MethodPost:
		f.forms.ServeHTTP(w, r)
	case r.URL.Path == f.BasePath+errorPath && read:
		f.problem(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// problem is the page that a sign-in ends on which knows nowhere else to go. Its status is the library's.
func (f *Front) problem(w http.ResponseWriter, r *http.Request) {
	v := page.Problem{Explanation: page.Explain(r.URL.Query().Get("error"), ""), Retry: SignInPath}
	f.Pages.Problem(w, http.StatusOK, v)
}

// api is the companion, asked on behalf of this browser.
func (f *Front) api(w http.ResponseWriter, r *http.Request) *api {
	return &api{handler: f.API, base: f.BasePath, origin: f.Origin, w: w, r: r}
}

// who is somebody's session, as get-session tells it.
type who struct {
	Session struct {
		ID                   string `json:"id"`
		ActiveOrganizationID string `json:"activeOrganizationId"`
	} `json:"session"`
	User struct {
		Name          string    `json:"name"`
		Email         string    `json:"email"`
		EmailVerified bool      `json:"emailVerified"`
		CreatedAt     time.Time `json:"createdAt"`
	} `json:"user"`
}

// person is the name to call somebody by.
func (p *who) person() string {
	if name := strings.TrimSpace(p.User.Name); name != "" {
		return name
	}
	return p.User.Email
}

// refuse is the page for a form that our own pages would not have sent.
func (f *Front) refuse(w http.ResponseWriter, status int, text string) {
	f.Pages.Problem(w, status, page.Problem{Explanation: page.Explanation{Title: "Nothing was done", Text: text}, Retry: AccountPath, Action: "Your account"})
}

// broken is the page where the companion itself does not work.
func (f *Front) broken(w http.ResponseWriter, r *http.Request, err error) {
	if refused := (*refusal)(nil); errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "10")
		f.Pages.Problem(w, http.StatusTooManyRequests, page.Problem{Explanation: page.Explain("TOO_MANY_REQUESTS", ""), Retry: r.URL.Path, Action: "Try again"})
		return
	}
	if r.Context().Err() == nil {
		f.Log.ErrorContext(r.Context(), "sign-in pages: the page could not be made", "path", r.URL.Path, "error", err)
	}
	w.Header().Set("Retry-After", "5")
	f.Pages.Problem(w, http.StatusServiceUnavailable, page.Problem{Explanation: page.Explain("internal_server_error", ""), Retry: r.URL.Path, Action: "Try again"})
}

// seeOther leads on, verbatim: joining or tidying could change where that is.
func seeOther(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}
