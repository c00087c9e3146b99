package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"strings"
)

// Field is one header line as it was on the wire. What net/http folds together or renames stays apart here.
type Field struct{ Name, Value string }

// Fields are header lines in the order in which they arrived.
type Fields []Field

// Values returns the value of every line with that name, whatever its case. X_User_Id is another name than X-User-Id.
func (f Fields) Values(name string) []string {
	var values []string
	for _, field := range f {
		if strings.EqualFold(field.Name, name) {
			values = append(values, field.Value)
		}
	}
	return values
}

// Get returns the first of Values, or nothing.
func (f Fields) Get(name string) string {
	if values := f.Values(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// has says whether a comma-separated list, such as Connection, has that element.
func (f Fields) has(name, element string) bool {
	for _, value := range f.Values(name) {
		for part := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(part), element) {
				return true
			}
		}
	}
	return false
}

// errMalformed is wrapped by everything the functions below cannot read.
var errMalformed = errors.New("malformed HTTP/1.1")

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		if errors.Is(err, io.EOF) && line != "" {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// readFields reads header or trailer lines up to the empty line. A folded line is joined with a space.
func readFields(r *bufio.Reader) (Fields, error) {
	var fields Fields
	for {
		line, err := readLine(r)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil || line == "" {
			return fields, err
		}
		if (line[0] == ' ' || line[0] == '\t') && len(fields) > 0 {
			fields[len(fields)-1].Value += " " + textproto.TrimString(line)
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return fields, fmt.Errorf("%w: header line %q", errMalformed, line)
		}
		fields = append(fields, Field{Name: name, Value: textproto.TrimString(value)})
	}
}

// readBody reads what the fields announce; a body that only the end of the connection ends is the caller's.
func readBody(r *bufio.Reader, fields Fields) (body []byte, trailer Fields, err error) {
	if fields.has("Transfer-Encoding", "chunked") {
		return readChunked(r)
	}
	length := fields.Get("Content-Length")
	if length == "" {
		return nil, nil, nil
	}
	n, err := strconv.ParseUint(length, 10, 31)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: Content-Length %q", errMalformed, length)
	}
	body = make([]byte, n)
	_, err = io.ReadFull(r, body)
	return body, nil, err
}

func readChunked(r *bufio.Reader) (body []byte, trailer Fields, err error) {
	for {
		line, err := readLine(r)
		if err != nil {
			return body, nil, err
		}
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 31)
		if err != nil {
			return body, nil, fmt.Errorf("%w: chunk size %q", errMalformed, line)
		}
		if n == 0 {
			trailer, err = readFields(r)
			return body, trailer, err
		}
		chunk := make([]byte, n)
		if _, err := io.ReadFull(r, chunk); err != nil {
			return body, nil, err
		}
		body = append(body, chunk...)
		if end, err := readLine(r); err != nil || end != "" {
			return body, nil, fmt.Errorf("%w: a chunk ends with %q (%v)", errMalformed, end, err)
		}
	}
}
