package postgres_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"testing"
)

// accept serves each connection to the address it returns, and closes it after that.
func accept(t *testing.T, serve func(client net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				serve(client)
			}()
		}
	}()
	return listener.Addr().String()
}

// forward passes a connection on to a server, after what was read of it already.
func forward(client net.Conn, server string, read ...byte) {
	real, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer real.Close()
	_, _ = real.Write(read)
	go func() { _, _ = io.Copy(client, real); client.Close() }()
	_, _ = io.Copy(real, client)
}

// relay passes connections on to a server, none that are made while it is shut; of what the server says only those
// messages that are let through.
func relay(t *testing.T, server string, shut *atomic.Bool, let func(kind byte) bool) string {
	return accept(t, func(client net.Conn) {
		if shut.Load() {
			return
		}
		real, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		defer real.Close()
		go func() { _, _ = io.Copy(real, client); real.Close() }()
		pass(client, real, let)
	})
}

// pass copies what a server says, message by message: a kind, the length of what follows, and that.
func pass(client, server net.Conn, let func(kind byte) bool) {
	head := make([]byte, 5)
	for {
		if _, err := io.ReadFull(server, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(server, body); err != nil {
			return
		}
		if let(head[0]) {
			if _, err := client.Write(append(head, body...)); err != nil {
				return
			}
		}
	}
}
