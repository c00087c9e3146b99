package extauthz

import (
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/usherauth/usher/gate"
)

// Field numbers of go-control-plane/envoy v1.40.0; TestFieldNumbers compares them with the generated descriptors.
const (
	checkStatus        protowire.Number = 1 // CheckResponse.status, a google.rpc.Status
	checkDenied        protowire.Number = 2 // CheckResponse.denied_response
	checkOK            protowire.Number = 3 // CheckResponse.ok_response
	checkMetadata      protowire.Number = 4 // CheckResponse.dynamic_metadata, a Struct
	statusCode         protowire.Number = 1 // of google.rpc.Status
	okHeaders          protowire.Number = 2 // OkHttpResponse.headers, of HeaderValueOption
	okHeadersToRemove  protowire.Number = 5
	okResponseHeaders  protowire.Number = 6 // OkHttpResponse.response_headers_to_add, of HeaderValueOption
	deniedStatus       protowire.Number = 1 // DeniedHttpResponse.status, an HttpStatus
	deniedHeaders      protowire.Number = 2 // of HeaderValueOption
	deniedBody         protowire.Number = 3
	httpStatusCode     protowire.Number = 1
	optionHeader       protowire.Number = 1 // HeaderValueOption.header, a HeaderValue
	optionAppend       protowire.Number = 2 // a BoolValue
	optionAppendAction protowire.Number = 3
	boolValue          protowire.Number = 1 // BoolValue.value
	structFields       protowire.Number = 1 // map<string, Value>
	valueString        protowire.Number = 3 // Value.string_value
	appendOrAdd        uint64           = 0 // HeaderAppendAction APPEND_IF_EXISTS_OR_ADD
	overwriteIfOrAdd   uint64           = 2 // HeaderAppendAction OVERWRITE_IF_EXISTS_OR_ADD
)

// encode makes the CheckResponse of an answer in memory of its own.
func encode(a gate.Answer, facts []gate.Fact) reply { return appendReply(nil, &a, facts) }

// appendReply appends the CheckResponse of an answer. It is the only maker of one. What it is given to write may be wrong
// (a header of no name, a line break in a value): then it answers that something broke, never a pass without identity.
// Anything but an Allow that is sound is a denial, so also the zero Answer.
func appendReply(b []byte, a *gate.Answer, facts []gate.Fact) []byte {
	if !sound(a) {
		instead, why := broken()
		a, facts = &instead, why
	}
	b, status := open(b, checkStatus)
	if a.Verdict != gate.Allow { // left out, this is code 0, and the request passes
		b = appendNumber(b, statusCode, uint64(code(a.Verdict)))
	}
	b = closeAt(b, status)
	if a.Verdict == gate.Allow {
		b = appendAllowed(b, a)
	} else {
		b = appendDenied(b, a)
	}
	return appendMetadata(b, facts, a.Plain)
}

// broken is the answer when the real one could not be made. The zero Gate knows it.
func broken() (gate.Answer, []gate.Fact) {
	d := gate.Decision{Verdict: gate.Unavailable, Reason: gate.InternalError}
	return new(gate.Gate).Answer(nil, d), d.Facts()
}

func code(v gate.Verdict) codes.Code {
	if v == gate.SignIn {
		return codes.Unauthenticated
	}
	return codes.PermissionDenied
}

// appendAllowed sets the identity headers and names what must go. Answer.Headers are for the client, which an allow does
// not answer; but a cookie for the client is added to what the backend answers, beside the backend's own.
func appendAllowed(b []byte, a *gate.Answer) []byte {
	b, ok := open(b, checkOK)
	for i := range a.Identity {
		b = appendIdentity(b, &a.Identity[i])
	}
	if len(a.Remove) > 0 {
		slices.Sort(a.Remove)
		for _, name := range slices.Compact(a.Remove) {
			b = appendText(b, okHeadersToRemove, name)
		}
	}
	if cookie := a.Cookie.Line(); cookie != "" {
		b = appendBeside(b, okResponseHeaders, gate.Header{Name: "set-cookie", Value: cookie})
		b = appendOverwriting(b, okResponseHeaders, gate.Header{Name: "cache-control", Value: gate.NoStore})
	}
	return closeAt(b, ok)
}

// overwrite ends a HeaderValueOption whose header takes the place of any of its name: a BoolValue that is there and
// false, and the action. It says so twice: the one is obsolete, the other was read in two ways.
const overwrite = string(byte(optionAppend)<<3|byte(protowire.BytesType)) + "\x00" +
	string(byte(optionAppendAction)<<3|byte(protowire.VarintType)) + string(byte(overwriteIfOrAdd))

// appendIdentity appends one identity header. All lengths of an ordinary one take one byte.
func appendIdentity(b []byte, line *gate.Header) []byte {
	header := 2 + len(line.Name) + 2 + len(line.Value)
	if option := 2 + header + len(overwrite); option < 0x80 {
		b = append(b, tag(okHeaders, protowire.BytesType), byte(option), tag(optionHeader, protowire.BytesType), byte(header))
		b = append(b, tag(entryKey, protowire.BytesType), byte(len(line.Name)))
		b = append(b, line.Name...)
		b = append(b, tag(entryValue, protowire.BytesType), byte(len(line.Value)))
		b = append(b, line.Value...)
		return append(b, overwrite...)
	}
	return appendOverwriting(b, okHeaders, *line)
}

// appendOverwriting writes a header that takes the place of any of its name.
func appendOverwriting(b []byte, number protowire.Number, line gate.Header) []byte {
	b, option := appendOption(b, number, line)
	return closeAt(append(b, overwrite...), option)
}

// appendBeside writes a header that leaves those of its name alone, and says so twice.
func appendBeside(b []byte, number protowire.Number, line gate.Header) []byte {
	b, option := appendOption(b, number, line)
	b, yes := open(b, optionAppend)
	b = closeAt(appendNumber(b, boolValue, 1), yes)
	b = appendNumber(b, optionAppendAction, appendOrAdd)
	return closeAt(b, option)
}

// appendOption begins a HeaderValueOption; whoever calls closes it.
func appendOption(b []byte, number protowire.Number, line gate.Header) (_ []byte, option int) {
	b, option = open(b, number)
	b, header := open(b, optionHeader)
	b = appendText(b, entryKey, line.Name)
	b = appendText(b, entryValue, line.Value)
	return closeAt(b, header), option
}

// appendDenied says what the client sees. Here both switches stay unset: `append: true` would lose every header.
func appendDenied(b []byte, a *gate.Answer) []byte {
	b, denied := open(b, checkDenied)
	b, status := open(b, deniedStatus)
	b = appendNumber(b, httpStatusCode, uint64(refusal(a.Status)))
	b = closeAt(b, status)
	for _, line := range a.Headers {
		var option int
		b, option = appendOption(b, deniedHeaders, line)
		b = closeAt(b, option)
	}
	if a.Body != "" {
		b = appendText(b, deniedBody, a.Body)
	}
	return closeAt(b, denied)
}

// refusal is a status that cannot be taken for a success; Envoy would show a denial with 200 as 200.
func refusal(status int) int {
	if status < 300 || status > 599 {
		return 403
	}
	return status
}

// appendMetadata writes the facts as dynamic metadata, for Envoy's access logs and rate limits. They come from the
// database: a byte that is not UTF-8 would make the whole answer unreadable.
func appendMetadata(b []byte, facts []gate.Fact, plain bool) []byte {
	b, metadata := open(b, checkMetadata)
	for i := range facts {
		name, text := facts[i].Name, facts[i].Value
		if !plain {
			text = strings.ToValidUTF8(text, "\uFFFD")
		}
		var entry, value int
		b, entry = open(b, structFields)
		b = appendText(b, entryKey, name)
		b, value = open(b, entryValue)
		b = appendText(b, valueString, text)
		b = closeAt(b, value)
		b = closeAt(b, entry)
	}
	return closeAt(b, metadata)
}

// sound reports whether every text of the answer can be written: Envoy passes a line break in a header on to the client
// as a new header, sends a header without name, and cannot read a message with text that is not UTF-8.
func sound(a *gate.Answer) bool {
	lines := a.Headers
	if a.Verdict == gate.Allow {
		lines = a.Identity
		if !printable(a.Cookie.Line()) {
			return false
		}
		if a.Plain { // and the names are gate.NewHeaders'
			lines = nil
		}
	}
	for _, line := range lines {
		if line.Name == "" || line.Value == "" || !printable(line.Value) {
			return false
		}
		for i := range len(line.Name) {
			if c := line.Name[i]; c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
				return false
			}
		}
	}
	for _, name := range a.Remove {
		if name == "" || !utf8.ValidString(name) {
			return false
		}
	}
	return utf8.ValidString(a.Body)
}

func printable(value string) bool {
	ascii := true
	for i := range len(value) {
		c := value[i]
		if c < 0x20 || c == 0x7f {
			return false
		}
		ascii = ascii && c < 0x80
	}
	return ascii || utf8.ValidString(value)
}
