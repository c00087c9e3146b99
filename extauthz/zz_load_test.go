package extauthz

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func TestZZServer(t *testing.T) {
	kind := os.Getenv("KIND")
	if kind == "" {
		t.Skip()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var g *grpc.Server
	if kind == "bare" {
		g = grpc.NewServer()
		authv3.RegisterAuthorizationServer(g, bare{})
	} else {
		s, _ := newServer(t)
		g = grpc.NewServer(ServerOptions()...)
		s.Register(g, nil)
	}
	go g.Serve(l)
	fmt.Println("ADDR", l.Addr())
	io.Copy(io.Discard, os.Stdin)
	var ru syscall.Rusage
	syscall.Getrusage(0, &ru)
	fmt.Println("CPU", ru.Utime.Nano()+ru.Stime.Nano())
}

func TestZZClient(t *testing.T) {
	addr := os.Getenv("ADDR")
	if addr == "" {
		t.Skip()
	}
	raw := []byte(marshal(t, browser()))
	var conns []*grpc.ClientConn
	for range 4 {
		c, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		must(t, err)
		conns = append(conns, c)
	}
	var n atomic.Int64
	end := time.Now().Add(4 * time.Second)
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			in, out := frame(raw), frame(nil)
			for time.Now().Before(end) {
				if err := conns[i%4].Invoke(context.Background(), authv3.Authorization_Check_FullMethodName, in, out); err != nil {
					t.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	group.Wait()
	fmt.Println("CHECKS", n.Load())
}
