// Command empty is the least a Go server can be: what starting `usher serve` is compared with.
package main

import (
	"net/http"
	"os"
)

func main() {
	err := http.ListenAndServe(os.Args[1], http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) //nolint:gosec // loopback, for seconds
	println(err.Error())
	os.Exit(1)
}
