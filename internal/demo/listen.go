package demo

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
)

// friendly is the address that is tried first, so that a reloaded page is still there after a restart.
const friendly = "127.0.0.1:4488"

// listen opens the page's address. Only loopback: whoever reaches the provider's page is signed in without a password.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	if address == "" {
		if l, err := config.Listen(ctx, "tcp", friendly); err == nil {
			return l, nil
		}
		address = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("-listen %s: write it as 127.0.0.1:PORT", address)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("-listen %s: the demo asks nobody for a password, so it listens on loopback only; write 127.0.0.1:PORT", address)
	}
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("-listen %s: %w; another port, or 127.0.0.1:0 for any, will do", address, err)
	}
	return l, nil
}

// closeQuietly closes what nothing was promised on.
func closeQuietly(c io.Closer) { _ = c.Close() }
