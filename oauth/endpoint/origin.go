package endpoint

import (
	"net/http"
	"strings"
)

func forbidden(code, message string) *Error {
	return &Error{Status: http.StatusForbidden, Code: code, Message: message}
}

// checkOrigin is the library's originCheckMiddleware: a request that could change something and brings any cookie at all
// must come from a page we trust, and must name no return URL that we do not.
func (c *Call) checkOrigin() error {
	switch c.R.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	if err := c.checkSender(); err != nil {
		return err
	}
	callback := c.body.member("callbackURL")
	if !callback.truthy() {
		callback = c.queryValue().member("callbackURL")
	}
	for _, field := range [...]struct {
		value              Value
		label, code, wrong string
	}{
		{callback, "callbackURL", "INVALID_CALLBACK_URL", "Invalid callbackURL"},
		{c.body.member("redirectTo"), "redirectURL", "INVALID_REDIRECT_URL", "Invalid redirectURL"},
		{c.body.member("errorCallbackURL"), "errorCallbackURL", "INVALID_ERROR_CALLBACK_URL", "Invalid errorCallbackURL"},
		{c.body.member("newUserCallbackURL"), "newUserCallbackURL", "INVALID_NEW_USER_CALLBACK_URL", "Invalid newUserCallbackURL"},
	} {
		switch {
		case !field.value.truthy():
		case field.value.kind != String:
			return &Error{Status: http.StatusBadRequest, Message: "Invalid " + field.label + ": expected a string"}
		case !c.Trusts(field.value.text, true):
			return forbidden(field.code, field.wrong)
		}
	}
	return nil
}

func (c *Call) checkSender() error {
	h := c.R.Header
	if len(h["Cookie"]) == 0 {
		return nil
	}
	sender := h.Get("Origin")
	if sender == "null" && h.Get("Sec-Fetch-Site") == "same-origin" {
		// A sandboxed page of ours, says the browser, so it came from where it sent this to.
		scheme, _, _ := strings.Cut(c.router.config.BaseURL, "://")
		sender = scheme + "://" + c.R.Host
	}
	if sender == "" {
		sender = h.Get("Referer")
	}
	switch {
	case sender == "" || sender == "null":
		return forbidden("MISSING_OR_NULL_ORIGIN", "Missing or null Origin")
	case !c.Trusts(sender, false):
		return forbidden("INVALID_ORIGIN", "Invalid origin")
	}
	return nil
}
