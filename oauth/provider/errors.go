package provider

import (
	"context"
	"errors"
	"fmt"
)

// What callers branch on. The text behind them is for the log: it holds no token, code or secret, and a provider's own
// words only shortened and escaped.
var (
	ErrConfig      = errors.New("provider configuration") // only New returns it
	ErrAbsent      = errors.New("provider is not known yet")
	ErrExchange    = errors.New("code not exchanged")         // invalid_code
	ErrUserInfo    = errors.New("identity not established")   // unable_to_get_user_info
	ErrNoNonce     = errors.New("the flow has no nonce")      // nonce_binding_missing
	ErrIssuer      = errors.New("answer of another issuer")   // issuer_mismatch
	ErrIDToken     = errors.New("id_token not accepted")      // INVALID_TOKEN
	ErrOpaqueToken = errors.New("not an id_token but opaque") // ask Identify, with the access token
	ErrNoAccess    = errNoAccessToken                         // beside ErrExchange; unable_to_get_user_info, as the library goes on without
	ErrRefresh     = errors.New("token not refreshed")        // FAILED_TO_REFRESH_ACCESS_TOKEN
)

// failure names the provider, the kind and the reason. Of cause only a cancellation and ErrNoAccess stay visible to errors.Is, so that
// nobody branches on what a provider's libraries return.
func failure(id string, kind, cause error) error {
	for _, gone := range []error{context.Canceled, context.DeadlineExceeded, ErrNoAccess} {
		if errors.Is(cause, gone) {
			return fmt.Errorf("provider %s: %w: %w", id, kind, gone)
		}
	}
	return fmt.Errorf("provider %s: %w: %v", id, kind, cause)
}

func misconfigured(id, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrConfig, id, fmt.Sprintf(format, args...))
}
