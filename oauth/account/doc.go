// Package account is what somebody signed in may do with the accounts of theirs at providers, and with their own name
// and picture: list and unlink accounts, ask for a provider's tokens and renew them, ask the provider who they are there.
//
// Whose accounts are meant is always said by the session, never by the request: an id of somebody else's account is an
// id of none.
package account
