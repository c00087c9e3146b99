package extauthz

import (
	"fmt"

	"github.com/usherauth/usher/gate"
)

// exchange is one check, from its question to its answer, and the memory this takes. It is used again for another one:
// of two people's checks, never one may show in the other. So it begins empty, it is put back in one place, by whoever
// took the answer out of it, and one that was not finished (a panic, a client that left) is put back by nobody.
type exchange struct {
	server  *Server
	asked   question
	request gate.Request
	answer  gate.Answer
	facts   []gate.Fact
	message message
	reply   *[]byte // encoded; nil outside of a check
}

// begin takes an empty exchange.
func (s *Server) begin() *exchange {
	x, ok := s.exchanges.Get().(*exchange)
	if !ok {
		x = new(exchange)
	}
	x.server = s
	return x
}

// end forgets the check and puts the exchange back. The caller has no use for it any more, and took the reply out of it.
func (s *Server) end(x *exchange) {
	x.request.Reset()
	x.answer.Reset()
	x.message.reset()
	clear(x.facts)
	x.server, x.asked, x.facts, x.reply = nil, "", x.facts[:0], nil
	s.exchanges.Put(x)
}

// encode writes the answer of a decision.
func (x *exchange) encode(d *gate.Decision) {
	x.server.gate.AnswerTo(&x.answer, &x.request, d)
	x.facts = d.AppendFacts(x.facts[:0])
	if x.reply == nil {
		x.reply = x.server.replies.Get(typicalLength)
	}
	*x.reply = appendReply((*x.reply)[:0], &x.answer, x.facts)
}

// Format keeps fmt from printing what a client sent: grpc-go's tracing would.
func (x *exchange) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("a check")) }
