package endpoint

import (
	"net/http"

	"github.com/usherauth/usher/betterauth/record"
)

// Error is an answer that is not a success, as the library's APIError: {"message":…,"code":…}. An empty Code is left out;
// with no Message either, the body is empty.
type Error struct {
	Status  int
	Code    string
	Message string
}

func (e *Error) Error() string {
	if e.Code != "" {
		return e.Code
	}
	if e.Message != "" {
		return e.Message
	}
	return http.StatusText(e.Status)
}

// Unauthorized says that nobody is signed in.
func Unauthorized() *Error {
	return &Error{Status: http.StatusUnauthorized, Code: "UNAUTHORIZED", Message: "Unauthorized"}
}

// NotFresh says that somebody signed in too long ago for what they want.
func NotFresh() *Error {
	return &Error{Status: http.StatusForbidden, Code: "SESSION_NOT_FRESH", Message: "Session is not fresh"}
}

// appendJSON writes the body.
func (e *Error) appendJSON(b []byte) []byte {
	if e.Message == "" && e.Code == "" {
		return b
	}
	b = append(b, `{"message":`...)
	b = record.AppendString(b, e.Message)
	if e.Code != "" {
		b = append(b, `,"code":`...)
		b = record.AppendString(b, e.Code)
	}
	return append(b, '}')
}
