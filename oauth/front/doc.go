// Package front answers the browser of a person without a script: /sign-in, /account and the error page. It is a client
// of the companion's own API, which it asks within the process with the browser's cookies, so that whatever the API
// demands (a fresh session, a trusted origin, an account that is not the last) is demanded here too, and written once.
//
// It decides what a page shows and what a form does; oauth/page draws. It must not know a store.
package front
