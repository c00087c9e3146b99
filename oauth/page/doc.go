// Package page draws the pages of the companion: signing in, the account, and what went wrong. They are HTML and one
// style sheet, made on the server; they work without JavaScript, ask nobody else for anything, and say in words what a
// code means.
//
// It owns looks and wording. It knows neither requests nor stores: whoever calls it hands over a view, a plain struct of
// what is to be shown, and gets bytes written. Everything in a view may come from outside: html/template escapes it.
package page
