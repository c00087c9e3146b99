package redisconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// Remedy says what to do about an error of a Redis, in words that follow the error and a colon; empty where only waiting
// helps, or nothing is known.
func Remedy(err error) string {
	if err == nil || absent(err) {
		return ""
	}
	if text := remedyOfTLS(err); text != "" {
		return text
	}
	text := err.Error()
	for _, known := range remedies {
		if strings.Contains(text, known.says) {
			return known.do
		}
	}
	var unknown *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &unknown):
		return "the URL's host is not known here: check its spelling and this machine's DNS"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: is Redis running, and are host and port of the URL right?"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no way to that host from here: check the URL's host, routes and firewalls"
	case errors.Is(err, redis.ErrPoolTimeout):
		return "all connections are busy: Redis is slow, or this process is short of CPU"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return "Redis did not answer in time: check host and port of the URL, firewalls between, whether it speaks TLS if the URL says rediss, and SLOWLOG there"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection was closed: if the server asks for TLS, write rediss:// instead of redis:// (rediss+sentinel://, rediss+cluster://)"
	}
	return ""
}

// remedies are looked through in order, for one error holds the words of another. They are Redis' own words, which have
// been the same since they exist; most have no error code that a type could stand for.
var remedies = []struct{ says, do string }{
	{"WRONGPASS", "the user or the password in the URL is wrong"},
	{"invalid password", "the password in the URL is wrong"},
	{"without any password configured", "the server has no password for that user: leave it out of the URL"},
	{"NOAUTH", "the server asks for a password: write redis://:password@host or redis://user:password@host; a Sentinel's own goes into ?sentinel_password="},
	{"NOPERM", "the user of the URL may not do this: allow it with ACL SETUSER"},
	{"DENIED Redis is running in protected mode", "the server has neither a password nor an address to listen on: set requirepass, and write it into the URL"},
	{"MOVED ", "the server is part of a Cluster: write redis+cluster://host:port,host:port"},
	{"ASK ", "the server is part of a Cluster: write redis+cluster://host:port,host:port"},
	{"CROSSSLOT", "the server is part of a Cluster: write redis+cluster://host:port,host:port"},
	{"cluster support disabled", "the server is not part of a Cluster: write redis://host:port"},
	{"cluster has no nodes", "none of the URL's hosts told the Cluster's nodes: check them, and that the addresses which CLUSTER SLOTS announces can be reached from here"},
	{"CLUSTERDOWN", "a part of the Cluster has no master: see CLUSTER INFO there"},
	{"SELECT is not allowed in cluster mode", "the server is part of a Cluster, which has only database 0: write redis+cluster://host:port"},
	{"DB index is out of range", "the URL's database does not exist: the server has as many as its setting databases, 16 if unset"},
	{"READONLY", "the server is a replica: write the master's host, or redis+sentinel:// to follow it when it changes"},
	{"MASTERDOWN", "the server is a replica that lost its master: write redis+sentinel:// to follow the master when it changes"},
	{"NOREPLICAS", "the server has too few replicas to accept writes (min-replicas-to-write)"},
	{"MISCONF", "the server cannot save and therefore refuses writes: see its log and its disk"},
	{"OOM command not allowed", "the server's memory is full: raise maxmemory, or set maxmemory-policy to evict"},
	{"max number of clients", "the server has no connection left: raise maxclients, or lower the pools of its users"},
	{"LOADING", ""}, // it is starting
	{"all sentinels specified in configuration are unreachable", "no Sentinel of the URL knows the master: check their hosts and ports (26379 where none is written), the name after the slash, and sentinel_password"},
	{"unknown command 'sentinel'", "the port in the URL is a Redis', not a Sentinel's (26379 is theirs)"},
	{"unknown command", "the port in the URL may be a Sentinel's: write redis+sentinel://host:26379/mymaster"},
}

// absent reports whether an error says that there is nothing, and not what else is wrong: that no Sentinel knows the
// master wraps the same word.
func absent(err error) bool {
	return err == redis.Nil //nolint:errorlint // see above
}

func remedyOfTLS(err error) string {
	var (
		plain     tls.RecordHeaderError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &plain):
		return "the server speaks no TLS at that port: write redis:// instead of rediss://, or the port of its TLS"
	case errors.As(err, &authority):
		return "the server's certificate is of an authority unknown here: name its certificate with ?ca=FILE, or in SSL_CERT_FILE"
	case errors.As(err, &host):
		return "the server's certificate has another name: write the host as the certificate does, or name it with ?server_name=NAME"
	case errors.As(err, &invalid):
		return "the server's certificate is not valid: renew it, or check this machine's clock"
	case errors.As(err, &alert), strings.Contains(err.Error(), "remote error: tls:"):
		return "the server refused the TLS connection: if it asks for a client's certificate, name it with ?cert=FILE&key=FILE"
	}
	return ""
}
