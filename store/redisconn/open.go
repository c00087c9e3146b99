package redisconn

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/usherauth/usher/store"
)

// Options are what a caller may want otherwise. The zero value fits a gate, which has 2 s for everything: a connection
// that cannot be made and an answer that does not come are given up after half a second each, and tried once more.
type Options struct {
	Dial    time.Duration // longest time to make a connection; 0: 500 ms
	Timeout time.Duration // longest wait for an answer, and for a free connection; 0: 500 ms
	Conns   int           // connections to each server; 0: 16, beyond which two cores gained nothing
	Name    string        // what CLIENT LIST shows; empty: usher
}

const (
	defaultDial    = 500 * time.Millisecond
	defaultTimeout = 500 * time.Millisecond
	defaultConns   = 16

	// idleTimeout is shorter than what load balancers and NAT forget connections after (Azure: 4 minutes).
	idleTimeout = 2 * time.Minute
)

// Open makes a client of the Redis at a URL of one of the Forms. Nothing is connected yet: a server that is down is an
// error of the first command, not of Open, and the client finds it once it is there. Every command ends with its
// context. Only masters are asked. The caller closes the client.
//
// An error says what to write and quotes nothing of the URL; store.Permanent tells which ones stay.
//
// The library has one logger for the whole process, which writes to standard error. Open silences it: what goes wrong
// comes back as errors.
func Open(text string, o Options) (redis.UniversalClient, error) {
	t, err := parse(text)
	if err != nil {
		return nil, err
	}
	config, err := t.tlsConfig()
	if err != nil {
		return nil, err
	}
	redis.SetLogger(&logging.VoidLogger{})
	u := t.options(o)
	u.TLSConfig = config
	return redis.NewUniversalClient(u), nil
}

func (t *target) options(o Options) *redis.UniversalOptions {
	u := &redis.UniversalOptions{
		Addrs:         t.hosts,
		MasterName:    t.master,
		IsClusterMode: t.kind == cluster,

		Username:         t.user,
		Password:         t.password,
		SentinelUsername: t.sentinelUser,
		SentinelPassword: t.sentinelPassword,
		DB:               t.database,
		ClientName:       cmp.Or(o.Name, "usher"),

		DialTimeout:           cmp.Or(o.Dial, defaultDial),
		DialerRetries:         1, // attempts
		ReadTimeout:           cmp.Or(o.Timeout, defaultTimeout),
		WriteTimeout:          cmp.Or(o.Timeout, defaultTimeout),
		PoolTimeout:           cmp.Or(o.Timeout, defaultTimeout),
		ContextTimeoutEnabled: true,
		MaxRetries:            1,
		MinRetryBackoff:       5 * time.Millisecond,
		MaxRetryBackoff:       50 * time.Millisecond,

		PoolSize:         cmp.Or(o.Conns, defaultConns),
		PipelinePoolSize: -1, // no second pool, of large buffers, for pipelines
		ConnMaxIdleTime:  idleTimeout,

		// Nothing is said on a connection but what is meant: no CLIENT SETINFO, no CLIENT MAINT_NOTIFICATIONS.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if t.kind == cluster {
		u.MaxRetries = -1 // a Cluster's client follows redirections, three times, and retries by that
	}
	return u
}

// tlsConfig is nil without TLS. Without ca the system's certificates are trusted, which SSL_CERT_FILE can replace.
func (t *target) tlsConfig() (*tls.Config, error) {
	if !t.tls {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.serverName}
	if t.ca != "" {
		pem, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, fmt.Errorf("the file of ca in the URL cannot be read: %w", cause(err))
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &store.UnusableError{Err: errors.New("the file of ca in the URL holds no certificate in PEM")}
		}
	}
	if t.cert != "" {
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			var file *fs.PathError
			if errors.As(err, &file) {
				return nil, fmt.Errorf("the files of cert and key in the URL cannot be read: %w", file.Err)
			}
			return nil, &store.UnusableError{Err: fmt.Errorf("the files of cert and key in the URL cannot be used: %w", err)}
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// cause is an error of a file without its name, which is a piece of the URL.
func cause(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return file.Err
	}
	return err
}
