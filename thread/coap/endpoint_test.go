package coap

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

var (
	start = time.Date(2018, 12, 14, 0, 0, 0, 0, time.UTC)

	nodeA = netip.MustParseAddrPort("[fdde:ad00:beef::ff:fe00:4000]:61631")
	nodeB = netip.MustParseAddrPort("[fdde:ad00:beef::ff:fe00:4001]:61631")
	nodeC = netip.MustParseAddrPort("[fdde:ad00:beef::ff:fe00:4002]:61631")
	group = netip.MustParseAddrPort("[ff03::2]:61631")
	aloc  = netip.MustParseAddrPort("[fdde:ad00:beef::ff:fe00:fc00]:61631")

	toB = Path{Local: nodeA.Addr(), Peer: nodeB}
	toA = Path{Local: nodeB.Addr(), Peer: nodeA}
)

func newEndpoint(seed uint64) *Endpoint[string] {
	return NewEndpoint[string](Config{
		Timing:    DefaultTiming(),
		Rand:      rand.New(rand.NewPCG(seed, 0)),
		IsAnycast: func(a netip.Addr) bool { return a == aloc.Addr() },
	})
}

func post(t testing.TB, e *Endpoint[string]) Message {
	return Message{Type: Confirmable, Code: POST, Token: e.NewToken(), Options: path(t, "a/as"), Payload: []byte{1}}
}

// sent returns the one datagram that e wants to send.
func sent(t *testing.T, e *Endpoint[string]) Transmission {
	t.Helper()
	tx, ok := e.PollTransmit()
	if !ok {
		t.Fatal("nothing to send")
	}
	if more, ok := e.PollTransmit(); ok {
		t.Fatalf("a second datagram: %x", more.Payload)
	}
	return tx
}

// event returns the one event of e.
func event(t *testing.T, e *Endpoint[string]) Event[string] {
	t.Helper()
	ev, ok := e.PollEvent()
	if !ok {
		t.Fatal("no event")
	}
	if more, ok := e.PollEvent(); ok {
		t.Fatalf("a second event: %+v", more)
	}
	return ev
}

// due returns when e wants to be called.
func due[Tag any](t *testing.T, e *Endpoint[Tag]) time.Time {
	t.Helper()
	next, ok := e.NextTimeout()
	if !ok {
		t.Fatal("waits for nothing")
	}
	return next
}

// idle checks that e waits for nothing.
func idle(t *testing.T, e *Endpoint[string]) {
	t.Helper()
	if next, ok := e.NextTimeout(); ok || !next.IsZero() {
		t.Errorf("waits until %v", next)
	}
}

// quiet checks that e has nothing to say.
func quiet(t *testing.T, e *Endpoint[string]) {
	t.Helper()
	if tx, ok := e.PollTransmit(); ok {
		t.Errorf("sends %x", tx.Payload)
	}
	if ev, ok := e.PollEvent(); ok {
		t.Errorf("event %+v", ev)
	}
}

func deliver(t *testing.T, e *Endpoint[string], now time.Time, p Path, payload []byte) {
	t.Helper()
	if err := e.HandleDatagram(now, p, payload); err != nil {
		t.Fatal(err)
	}
}

func encode(t *testing.T, m Message) []byte {
	t.Helper()
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t *testing.T, b []byte) Message {
	t.Helper()
	m, err := ParseMessage(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPiggybackedResponse(t *testing.T) {
	a, b := newEndpoint(1), newEndpoint(2)
	a.Request(start, toB, post(t, a), "solicit")
	tx := sent(t, a)
	if tx.Path != toB {
		t.Errorf("sent on %v", tx.Path)
	}
	deliver(t, b, start, toA, tx.Payload)
	req := event(t, b)
	if req.Kind != RequestReceived || req.Path != toA || req.Message.Options.URIPath() != "a/as" {
		t.Fatalf("%+v", req)
	}
	b.Respond(start, req, Message{Code: Changed, Payload: []byte{2}})
	response := sent(t, b)
	if m := decode(t, response.Payload); m.Type != Acknowledgement || m.MessageID != req.Message.MessageID ||
		m.Token != req.Message.Token || m.Code != Changed || !bytes.Equal(m.Payload, []byte{2}) {
		t.Errorf("%+v", m)
	}
	deliver(t, a, start, toB, response.Payload)
	if got := event(t, a); got.Kind != ResponseReceived || got.Tag != "solicit" || got.Message.Code != Changed {
		t.Errorf("%+v", got)
	}
	idle(t, a)
	deliver(t, a, start, toB, response.Payload) // once more
	quiet(t, a)
	quiet(t, b)
}

// TestRetransmission checks RFC 7252 §4.2 and §4.8.2: each wait twice the one before, four retransmissions, the first
// wait between ACK_TIMEOUT and ACK_TIMEOUT * ACK_RANDOM_FACTOR.
func TestRetransmission(t *testing.T) {
	for seed := range uint64(50) {
		e := newEndpoint(seed)
		e.Request(start, toB, post(t, e), "tag")
		first := sent(t, e)
		wait, last := time.Duration(0), start
		for i := range 4 {
			now := due(t, e)
			if i == 0 {
				if wait = now.Sub(last); wait < 2*time.Second || wait > 3*time.Second {
					t.Fatalf("first wait %v", wait)
				}
			} else if wait *= 2; now.Sub(last) != wait {
				t.Fatalf("wait %v, want %v", now.Sub(last), wait)
			}
			e.HandleTimeout(now.Add(-1))
			quiet(t, e)
			e.HandleTimeout(now)
			if tx := sent(t, e); !bytes.Equal(tx.Payload, first.Payload) || tx.Path != first.Path {
				t.Fatalf("retransmits %x", tx.Payload)
			}
			last = now
		}
		now := due(t, e)
		if total := now.Sub(start); total > DefaultTiming().MaxTransmitWait() {
			t.Errorf("gives up after %v", total)
		}
		e.HandleTimeout(now)
		if ev := event(t, e); ev.Kind != RequestFailed || ev.Err != ErrTimeout || ev.Tag != "tag" {
			t.Errorf("%+v", ev)
		}
		idle(t, e)
	}
}

// TestNextTimeout checks that the earliest of several deadlines counts, whichever request it is that begins, goes on or ends.
func TestNextTimeout(t *testing.T) {
	e := newEndpoint(1)
	idle(t, e)
	check := func(what string) {
		t.Helper()
		var want time.Time
		for _, r := range e.requests {
			if want.IsZero() || r.deadline.Before(want) {
				want = r.deadline
			}
		}
		if got, ok := e.NextTimeout(); !got.Equal(want) || ok == want.IsZero() {
			t.Errorf("%s: %v, %v, want %v", what, got, ok, want)
		}
	}
	request := func(now time.Time, typ Type, tag string) Message {
		m := post(t, e)
		m.Type = typ
		e.Request(now, toB, m, tag)
		return decode(t, sent(t, e).Payload)
	}
	first := request(start, NonConfirmable, "first")
	check("one request")
	second := request(start, Confirmable, "second")
	check("an earlier one")
	request(start.Add(time.Minute), Confirmable, "third")
	check("a later one")
	e.HandleTimeout(due(t, e))
	check("a retransmission")
	sent(t, e)
	deliver(t, e, start, toB, encode(t, Message{Type: Acknowledgement, MessageID: second.MessageID}))
	check("an acknowledgement")
	e.HandleTimeout(due(t, e).Add(-1))
	check("nothing due")
	deliver(t, e, start, toB, encode(t, Message{Type: NonConfirmable, Code: Content, Token: second.Token}))
	check("a separate response to the earliest")
	deliver(t, e, start, toB, encode(t, Message{Type: Reset, MessageID: first.MessageID}))
	check("a reset of the latest")
	request(start.Add(time.Hour), Confirmable, "fourth")
	e.Cancel(func(tag string) bool { return tag == "third" })
	check("a cancelled one")
	for now, ok := e.NextTimeout(); ok; now, ok = e.NextTimeout() {
		e.HandleTimeout(now)
		check("until it fails")
	}
	idle(t, e)
}

func TestSeparateResponse(t *testing.T) {
	for _, typ := range []Type{Confirmable, NonConfirmable} {
		e := newEndpoint(1)
		e.Request(start, toB, post(t, e), "tag")
		request := decode(t, sent(t, e).Payload)
		deliver(t, e, start, toB, encode(t, Message{Type: Acknowledgement, MessageID: request.MessageID}))
		quiet(t, e)
		now := due(t, e)
		e.HandleTimeout(now) // acknowledged: waits, but does not repeat itself
		quiet(t, e)

		response := Message{Type: typ, Code: Content, MessageID: 7, Token: request.Token}
		deliver(t, e, now, toB, encode(t, response))
		if ev := event(t, e); ev.Kind != ResponseReceived || ev.Tag != "tag" {
			t.Errorf("%+v", ev)
		}
		if typ == Confirmable {
			if ack := decode(t, sent(t, e).Payload); ack.Type != Acknowledgement || ack.Code != Empty || ack.MessageID != 7 {
				t.Errorf("%+v", ack)
			}
			deliver(t, e, now, toB, encode(t, response)) // the acknowledgement was lost
			if rst := decode(t, sent(t, e).Payload); rst.Type != Reset || rst.MessageID != 7 {
				t.Errorf("%+v", rst)
			}
		}
		quiet(t, e)
	}
}

func TestAcknowledgedWithoutResponse(t *testing.T) {
	e := newEndpoint(1)
	e.Request(start, toB, post(t, e), "tag")
	request := decode(t, sent(t, e).Payload)
	deliver(t, e, start, toB, encode(t, Message{Type: Acknowledgement, MessageID: request.MessageID}))
	for range 5 {
		if _, ok := e.PollEvent(); ok {
			t.Fatal("over too early")
		}
		e.HandleTimeout(due(t, e))
	}
	if ev := event(t, e); ev.Err != ErrTimeout {
		t.Errorf("%+v", ev)
	}
}

func TestReset(t *testing.T) {
	e := newEndpoint(1)
	e.Request(start, toB, post(t, e), "tag")
	request := decode(t, sent(t, e).Payload)
	deliver(t, e, start, toB, encode(t, Message{Type: Reset, MessageID: request.MessageID + 1}))
	quiet(t, e)
	deliver(t, e, start, toB, encode(t, Message{Type: Reset, MessageID: request.MessageID}))
	if ev := event(t, e); ev.Kind != RequestFailed || ev.Err != ErrReset || ev.Tag != "tag" {
		t.Errorf("%+v", ev)
	}
}

// TestForeignResponses checks what must not end a request: another peer, port, message ID or token, and messages of a
// class that does not fit their type.
func TestForeignResponses(t *testing.T) {
	e := newEndpoint(1)
	e.Request(start, toB, post(t, e), "tag")
	request := decode(t, sent(t, e).Payload)
	good := Message{Type: Acknowledgement, Code: Changed, MessageID: request.MessageID, Token: request.Token}

	deliver(t, e, start, Path{Local: nodeA.Addr(), Peer: nodeC}, encode(t, good))
	deliver(t, e, start, Path{Local: nodeA.Addr(), Peer: netip.AddrPortFrom(nodeB.Addr(), 5683)}, encode(t, good))
	for _, change := range []func(*Message){
		func(m *Message) { m.MessageID++ },
		func(m *Message) { m.Token = Token{} },
		func(m *Message) { m.Code = POST },
		func(m *Message) { m.Code = 7 << 5 },
		func(m *Message) { m.Type = Reset },
		func(m *Message) { m.Type, m.Code = NonConfirmable, 7<<5 },
		func(m *Message) { m.Type, m.Token = NonConfirmable, Token{} },
		func(m *Message) { m.Type, m.Code = Reset, POST },
	} {
		m := good
		change(&m)
		deliver(t, e, start, toB, encode(t, m))
		quiet(t, e)
	}
	deliver(t, e, start, toB, encode(t, good))
	if ev := event(t, e); ev.Kind != ResponseReceived {
		t.Errorf("%+v", ev)
	}
}

func TestResponseFromElsewhere(t *testing.T) {
	for _, peer := range []netip.AddrPort{group, aloc} {
		e := newEndpoint(1)
		m := post(t, e)
		m.Type = NonConfirmable
		e.Request(start, Path{Local: nodeA.Addr(), Peer: peer}, m, "tag")
		request := decode(t, sent(t, e).Payload)
		deliver(t, e, start, toB, encode(t, Message{Type: NonConfirmable, Code: Content, Token: request.Token}))
		if ev := event(t, e); ev.Kind != ResponseReceived || ev.Path != toB {
			t.Errorf("%v: %+v", peer, ev)
		}
	}
}

func TestNonConfirmableRequest(t *testing.T) {
	e := newEndpoint(1)
	m := post(t, e)
	m.Type = NonConfirmable
	e.Request(start, toB, m, "tag")
	sent(t, e)
	now := due(t, e)
	if now.Sub(start) != 93*time.Second {
		t.Errorf("waits %v", now.Sub(start))
	}
	e.HandleTimeout(now)
	if ev := event(t, e); ev.Err != ErrTimeout {
		t.Errorf("%+v", ev)
	}
	quiet(t, e)
}

// TestDuplicateRequest checks RFC 7252 §4.2: the answer to a duplicate is the same acknowledgement, and the request is
// processed once; after EXCHANGE_LIFETIME the message ID is a new one.
func TestDuplicateRequest(t *testing.T) {
	e := newEndpoint(1)
	request := encode(t, Message{Type: Confirmable, Code: POST, MessageID: 9, Options: path(t, "a/an")})
	deliver(t, e, start, toB, request)
	e.Respond(start, event(t, e), Message{Code: Changed})
	first := sent(t, e)

	now := start.Add(247*time.Second - 1)
	deliver(t, e, now, toB, request)
	if again := sent(t, e); !bytes.Equal(again.Payload, first.Payload) || again.Path != first.Path {
		t.Errorf("%+v, want %+v", again, first)
	}
	quiet(t, e)
	deliver(t, e, now, Path{Local: nodeA.Addr(), Peer: nodeC}, request) // another peer, the same ID
	event(t, e)
	deliver(t, e, start.Add(247*time.Second), toB, request)
	event(t, e)
}

func TestResponseCacheIsBounded(t *testing.T) {
	e := newEndpoint(1)
	for id := range uint16(maxCachedResponses + 1) {
		deliver(t, e, start, toB, encode(t, Message{Type: Confirmable, Code: POST, MessageID: id}))
		e.Respond(start, event(t, e), Message{Code: Changed})
		sent(t, e)
	}
	if len(e.responses) != maxCachedResponses {
		t.Errorf("%d responses", len(e.responses))
	}
	deliver(t, e, start, toB, encode(t, Message{Type: Confirmable, Code: POST, MessageID: 0}))
	event(t, e) // the oldest was forgotten
	deliver(t, e, start, toB, encode(t, Message{Type: Confirmable, Code: POST, MessageID: 1}))
	sent(t, e)
}

func TestRespondToMulticast(t *testing.T) {
	e := newEndpoint(1)
	path := Path{Local: group.Addr(), Peer: nodeB}
	deliver(t, e, start, path, encode(t, Message{Type: NonConfirmable, Code: POST, MessageID: 9, Token: token(t, "01")}))
	e.Respond(start, event(t, e), Message{Code: Content})
	tx := sent(t, e)
	if m := decode(t, tx.Payload); m.Type != NonConfirmable || m.Token != token(t, "01") || tx.Path != (Path{Peer: nodeB}) {
		t.Errorf("%+v on %v", m, tx.Path)
	}
}

func TestEmptyAcknowledgement(t *testing.T) {
	e := newEndpoint(1)
	deliver(t, e, start, toB, encode(t, Message{Type: Confirmable, Code: POST, MessageID: 9, Token: token(t, "01")}))
	e.Respond(start, event(t, e), Message{})
	if b := sent(t, e).Payload; !bytes.Equal(b, []byte{0x60, 0, 0, 9}) {
		t.Errorf("%x", b)
	}
}

func TestPing(t *testing.T) {
	e := newEndpoint(1)
	deliver(t, e, start, toB, encode(t, Message{Type: Confirmable, MessageID: 9}))
	if b := sent(t, e).Payload; !bytes.Equal(b, []byte{0x70, 0, 0, 9}) {
		t.Errorf("%x", b)
	}
	deliver(t, e, start, toB, encode(t, Message{Type: NonConfirmable, MessageID: 9}))
	deliver(t, e, start, toB, encode(t, Message{Type: Acknowledgement, Code: POST, MessageID: 9}))
	quiet(t, e)
}

func TestCancel(t *testing.T) {
	e := newEndpoint(1)
	for _, tag := range []string{"a", "b", "a"} {
		e.Request(start, toB, post(t, e), tag)
		sent(t, e)
	}
	e.Cancel(func(tag string) bool { return tag == "a" })
	for now, ok := e.NextTimeout(); ok; now, ok = e.NextTimeout() {
		e.HandleTimeout(now)
		for _, ok := e.PollTransmit(); ok; _, ok = e.PollTransmit() {
		}
	}
	if ev := event(t, e); ev.Tag != "b" {
		t.Errorf("%+v", ev)
	}
}

func TestSendGivesFreshMessageIDs(t *testing.T) {
	e := newEndpoint(1)
	var ids []uint16
	for range 3 {
		e.Send(Path{Peer: group}, Message{Type: NonConfirmable, Code: POST})
		ids = append(ids, decode(t, sent(t, e).Payload).MessageID)
	}
	if ids[1] != ids[0]+1 || ids[2] != ids[1]+1 {
		t.Error(ids)
	}
	idle(t, e)
}

func TestMalformedDatagram(t *testing.T) {
	e := newEndpoint(1)
	if err := e.HandleDatagram(start, toB, []byte{0x40}); err != ErrFormat {
		t.Error(err)
	}
	quiet(t, e)
}

func TestTiming(t *testing.T) {
	d := DefaultTiming()
	if d.MaxTransmitWait() != 93*time.Second || d.ExchangeLifetime() != 247*time.Second {
		t.Error(d.MaxTransmitWait(), d.ExchangeLifetime())
	}
	fixed := NewEndpoint[int](Config{
		Timing: Timing{AckTimeout: time.Minute, AckRandomFactor: 1},
		Rand:   rand.New(rand.NewPCG(1, 1)),
	})
	fixed.Request(start, toB, Message{Code: GET}, 1)
	if next := due(t, fixed); next.Sub(start) != time.Minute {
		t.Error(next)
	}
	fixed.HandleTimeout(due(t, fixed))
	if ev, ok := fixed.PollEvent(); !ok || ev.Err != ErrTimeout {
		t.Error(ev, ok)
	}
}

// TestSameSeedSameBytes checks that all chance comes from the generator.
func TestSameSeedSameBytes(t *testing.T) {
	run := func() (out []byte, times []time.Time) {
		e := newEndpoint(42)
		for range 3 {
			e.Request(start, toB, post(t, e), "tag")
			times = append(times, due(t, e))
		}
		for tx, ok := e.PollTransmit(); ok; tx, ok = e.PollTransmit() {
			out = append(out, tx.Payload...)
		}
		return out, times
	}
	b1, t1 := run()
	b2, t2 := run()
	if !bytes.Equal(b1, b2) || !slices.Equal(t1, t2) {
		t.Error("two runs differ")
	}
}

func FuzzHandleDatagram(f *testing.F) {
	for _, tt := range messageTests(f) {
		f.Add(unhex(f, tt.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := newEndpoint(1)
		e.Request(start, toB, post(t, e), "tag")
		sent(t, e)
		if e.HandleDatagram(start, toB, b) != nil {
			return
		}
		for ev, ok := e.PollEvent(); ok; ev, ok = e.PollEvent() {
			if ev.Kind == RequestReceived {
				e.Respond(start, ev, Message{Code: Changed})
			}
		}
		for tx, ok := e.PollTransmit(); ok; tx, ok = e.PollTransmit() {
			decode(t, tx.Payload)
		}
	})
}

// As many requests are open as there are places; another one fails at once, sends nothing and has no event.
func TestOpenRequests(t *testing.T) {
	e := newEndpoint(1)
	for range MaxOpenRequests {
		if err := e.Request(start, toB, post(t, e), "tag"); err != nil {
			t.Fatal(err)
		}
		sent(t, e)
	}
	if err := e.Request(start, toB, post(t, e), "one more"); err != ErrBusy {
		t.Errorf("%v", err)
	}
	if tx, ok := e.PollTransmit(); ok {
		t.Errorf("sends %x", tx.Payload)
	}
	if e.Pending() != MaxOpenRequests || len(slices.Collect(e.Open())) != MaxOpenRequests {
		t.Errorf("%d open", e.Pending())
	}
	for range e.Open() {
		break
	}
	e.Cancel(func(string) bool { return true })
	if err := e.Request(start, toB, post(t, e), "tag"); err != nil {
		t.Error(err)
	}
}

// TestRFC7252_Rejection: what a recipient cannot process is rejected, if it is confirmable and came to this node alone; or it is ignored.
func TestRFC7252_Rejection(t *testing.T) {
	const none = ""
	option := func(typ Type, code Code, n OptionNumber) []byte {
		m := Message{Type: typ, Code: code, MessageID: 0x1234}
		m.Options, _ = m.Options.Append(n, []byte("x"))
		b, _ := m.AppendBinary(nil)
		return b
	}
	for _, tt := range []struct {
		name  string
		group bool
		b     []byte
		err   error
		want  string // the answer: its type and code
		event bool
	}{
		{"confirmable, malformed (§4.2)", false, []byte{0x4f, 0x02, 0x12, 0x34}, ErrFormat, "RST 0.00", false},
		{"confirmable, payload marker alone", false, []byte{0x40, 0x02, 0x12, 0x34, 0xff}, ErrFormat, "RST 0.00", false},
		{"confirmable, empty with more", false, []byte{0x40, 0x00, 0x12, 0x34, 1}, ErrFormat, "RST 0.00", false},
		{"non-confirmable, malformed (§4.3)", false, []byte{0x5f, 0x02, 0x12, 0x34}, ErrFormat, none, false},
		{"acknowledgement, malformed", false, []byte{0x6f, 0x44, 0x12, 0x34}, ErrFormat, none, false},
		{"another version (§3)", false, []byte{0x8f, 0x02, 0x12, 0x34}, ErrFormat, none, false},
		{"no header", false, []byte{0x40, 0x02, 0x12}, ErrFormat, none, false},
		{"to a group, malformed (§8.1)", true, []byte{0x4f, 0x02, 0x12, 0x34}, ErrFormat, none, false},

		{"unknown critical option (§5.4.1)", false, option(Confirmable, POST, 9), ErrOption, "ACK 4.02", false},
		{"block-wise transfer", false, option(Confirmable, POST, 27), ErrOption, "ACK 4.02", false},
		{"If-Match", false, option(Confirmable, POST, OptionIfMatch), ErrOption, "ACK 4.02", false},
		{"to a proxy (§5.7.2)", false, option(Confirmable, POST, OptionProxyURI), ErrOption, "ACK 5.05", false},
		{"unknown critical option, non-confirmable", false, option(NonConfirmable, POST, 9), ErrOption, none, false},
		{"unknown critical option, to a group", true, option(NonConfirmable, POST, 9), ErrOption, none, false},
		{"unknown critical option in a response", false, option(Confirmable, Content, 9), ErrOption, "RST 0.00", false},
		{"unknown critical option in an acknowledgement", false, option(Acknowledgement, Content, 9), ErrOption, none, false},
		{"unknown elective option", false, option(Confirmable, POST, 8), nil, none, true},

		{"confirmable to a group (§8.1)", true, option(Confirmable, POST, OptionURIPath), ErrMulticast, none, false},
		{"ping to a group", true, []byte{0x40, 0x00, 0x12, 0x34}, ErrMulticast, none, false},
		{"response to a group", true, option(NonConfirmable, Content, OptionETag), ErrMulticast, none, false},
		{"non-confirmable to a group", true, option(NonConfirmable, POST, OptionURIPath), nil, none, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, path := newEndpoint(1), toB
			if tt.group {
				path.Local = group.Addr()
			}
			if err := e.HandleDatagram(start, path, tt.b); err != tt.err {
				t.Errorf("%v, want %v", err, tt.err)
			}
			got := none
			if tx, ok := e.PollTransmit(); ok {
				m, err := ParseMessage(tx.Payload)
				if err != nil || m.MessageID != 0x1234 || tx.Path.Peer != nodeB {
					t.Errorf("answers %+v to %v", m, tx.Path)
				}
				got = m.Type.String() + " " + m.Code.String()
			}
			if got != tt.want {
				t.Errorf("answers %q, want %q", got, tt.want)
			}
			if _, ok := e.PollEvent(); ok != tt.event {
				t.Errorf("event: %v", ok)
			}
		})
	}
}
