package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/usherauth/usher/gate"
)

const internalText = `
add makes a token for a service that may speak for users (an internal caller), and
prints it on standard output, once: it is kept nowhere. What usher.yaml needs to
admit it, which is its SHA-256 only, goes to standard error:

  usher internal add agent-worker > agent-worker.token

A second token for the same caller takes the place of the first without a gap: list
both hashes, let the service change over, take the old hash out. A running gate reads
the list again at SIGHUP. docs/internal-callers.md says what callers may do.`

// newCaller is what `usher internal add -json` prints.
type newCaller struct {
	Name        string `json:"name"`
	Token       string `json:"token"`
	TokenSHA256 string `json:"token_sha256"`
	Config      string `json:"config"`
}

func runInternal(_ context.Context, t terminal, args []string) int {
	set := flags(t, "internal", "add NAME [-json]", internalText)
	asJSON := set.Bool("json", false, "print one JSON object, the token included")
	what, rest := subcommand(args)
	name, rest := subcommand(rest)
	if done, code := parse(t, set, rest); done {
		return code
	}
	if name == "" && set.NArg() == 1 { // -json NAME
		name = set.Arg(0)
	} else if !noArguments(t, set) {
		return exitUsage
	}
	if what != "add" || name == "" {
		set.Usage()
		return exitUsage
	}
	if message := gate.CheckCallerName(name); message != "" {
		fmt.Fprintf(t.err, "usher internal add: %s\n", message)
		return exitUsage
	}
	made := makeCaller(name)
	if *asJSON {
		encoder := json.NewEncoder(t.out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(made); err != nil {
			return fail(t, err)
		}
		return exitOK
	}
	fmt.Fprintf(t.err, `The token below is shown once. %s sends it as "Authorization: Bearer …",
with X-User-Id for the user it acts for. In usher.yaml, below internal.callers:

  %s

To replace a token, add the hash to the caller's list beside the old one: two may be there.
Print the proxy's configuration again if this is the first caller (usher proxy KIND).

`, name, made.Config)
	if _, err := fmt.Fprintln(t.out, made.Token); err != nil {
		return fail(t, err)
	}
	return exitOK
}

// makeCaller makes a token: 32 random bytes behind the prefix.
func makeCaller(name string) newCaller {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails (crypto/rand)
	token := gate.ServicePrefix + base64.RawURLEncoding.EncodeToString(secret[:])
	sum := sha256.Sum256([]byte(token))
	hash := hex.EncodeToString(sum[:])
	return newCaller{
		Name: name, Token: token, TokenSHA256: hash,
		Config: fmt.Sprintf(`- { name: %q, token_sha256: [%q] }`, name, hash),
	}
}
