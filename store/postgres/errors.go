package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATEs that are acted upon.
const (
	featureNotSupported   = "0A000" // "cached plan must not change result type"
	unknownStatement      = "26000"
	duplicateStatement    = "42P05"
	undefinedTable        = "42P01"
	undefinedColumn       = "42703"
	undefinedFunction     = "42883" // also an operator: the types of two ids no longer compare
	datatypeMismatch      = "42804"
	insufficientPrivilege = "42501"
	untranslatable        = "22P05" // the database's encoding, not UTF-8, has no such character
	notInRepertoire       = "22021"
	wrongPassword         = "28P01"
	wrongAuthorization    = "28000"
	unknownDatabase       = "3D000"
	tooManyConnections    = "53300"
	startingUp            = "57P03"
	readOnlyTransaction   = "25006" // also: what a hot standby refuses
)

// stalePlan reports whether a prepared statement no longer fits the tables, or is not the server connection's at all.
func stalePlan(err error) bool {
	switch state(err) {
	case featureNotSupported, unknownStatement, duplicateStatement:
		return true
	}
	return false
}

// schemaChanged reports whether the tables are no longer as they were looked at.
func schemaChanged(err error) bool {
	switch state(err) {
	case undefinedTable, undefinedColumn, undefinedFunction, datatypeMismatch, featureNotSupported:
		return true
	}
	var scan pgx.ScanArgError
	return errors.As(err, &scan)
}

// unaskable reports whether no row of this database could hold the token: its client chose what to send.
func unaskable(err error) bool {
	return state(err) == untranslatable || state(err) == notInRepertoire
}

// explain adds what to do to an error of a lookup, tried or real, where that is known.
func explain(err error) error {
	switch state(err) {
	case unknownStatement, duplicateStatement:
		return fmt.Errorf("%w; a pooler seems to lose prepared statements: add default_query_exec_mode=exec to store.url", err)
	case insufficientPrivilege:
		return fmt.Errorf("%w; grant SELECT on the tables, and USAGE on their schema, to the role of store.url", err)
	}
	return err
}

// remedy says what to do when no connection can be made.
func remedy(err error) string {
	var unknown *net.DNSError
	switch code := state(err); {
	case code == wrongPassword, code == wrongAuthorization:
		return "check user and password of store.url, and the server's pg_hba.conf"
	case code == unknownDatabase:
		return "check the database name in store.url"
	case code == tooManyConnections:
		return "the server has no connection left: lower the pool sizes of its users, or raise max_connections"
	case code == startingUp:
		return "the server is starting or stopping: try again"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: is PostgreSQL running, and are host and port of store.url right?"
	case errors.As(err, &unknown):
		return "the host of store.url is not known here"
	case errors.Is(err, context.DeadlineExceeded):
		return "the server did not answer in time: check host and port of store.url, and firewalls between"
	default:
		return "check store.url, and sslmode if the server asks for TLS or has none"
	}
}

// detail is what the server says beside its message: which rows contradict an index.
func detail(err error) string {
	var sent *pgconn.PgError
	if errors.As(err, &sent) && sent.Detail != "" {
		return "\n" + sent.Detail
	}
	return ""
}
