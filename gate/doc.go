// Package gate decides: may this request pass, and who is it?
//
// It owns the words of the project (Request, Credential, Principal, Membership, Policy, Decision, Answer) and the one
// function that turns a Request into a Decision, Gate.Check, and the one that turns a Decision into what a proxy is
// told, Gate.Answer. It must not know any protocol or do any I/O: the edges (extauthz, forwardauth) translate a proxy's
// words into a Request and an Answer back, a Reader (betterauth) proves credentials, a Resolver (store/...) finds who
// holds them. Only the standard library is imported.
//
// Zero values refuse: a zero Verdict denies, a zero Decision denies, a zero Answer is a 403.
package gate
