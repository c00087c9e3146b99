package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RawResponse is a response as it was on the wire.
type RawResponse struct {
	Status  int // 0: the connection was closed without an answer
	Reason  string
	Header  Fields
	Body    string
	Trailer Fields
}

// RawHTTP sends exactly these bytes to host:port and reads one response, skipping 100 and 103. A request that needs no
// further bytes should say Connection: close or be answered with a length.
func RawHTTP(t testing.TB, address, request string) RawResponse {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// A server may refuse a request, and close, before it has read all of it: what it said counts.
	_, sent := io.WriteString(conn, request)
	response, err := readResponse(bufio.NewReader(conn), strings.HasPrefix(request, "HEAD "))
	switch {
	case response.Status == 0 && closed(err):
		return RawResponse{}
	case errors.Is(err, os.ErrDeadlineExceeded):
		t.Fatalf("%s did not answer in time; so far: %+v", address, response)
	case err != nil:
		t.Fatalf("%s: %v (after sending: %v); so far: %+v", address, err, sent, response)
	}
	return response
}

// closed recognises a connection that the other side ended.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func readResponse(r *bufio.Reader, head bool) (response RawResponse, err error) {
	for response.Status < 101 || response.Status == 103 {
		response = RawResponse{}
		line, err := readLine(r)
		if err != nil {
			return response, err
		}
		words := strings.SplitN(line, " ", 3)
		if len(words) < 2 || !strings.HasPrefix(words[0], "HTTP/1.") {
			return response, fmt.Errorf("%w: status line %q", errMalformed, line)
		}
		if response.Status, err = strconv.Atoi(words[1]); err != nil {
			return response, fmt.Errorf("%w: status line %q", errMalformed, line)
		}
		if len(words) == 3 {
			response.Reason = words[2]
		}
		if response.Header, err = readFields(r); err != nil {
			return response, err
		}
	}
	if head || response.Status < 200 || response.Status == 204 || response.Status == 304 {
		return response, nil
	}
	var body []byte
	if response.Header.Get("Content-Length") == "" && !response.Header.has("Transfer-Encoding", "chunked") {
		body, err = io.ReadAll(r)
	} else {
		body, response.Trailer, err = readBody(r, response.Header)
	}
	response.Body = string(body)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return response, err
}
