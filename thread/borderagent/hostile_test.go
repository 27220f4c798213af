package borderagent

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/dtls"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/tmf"
)

func addrOf(n int) netip.AddrPort {
	b := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	binary.BigEndian.PutUint32(b[12:], uint32(n))
	return netip.AddrPortFrom(netip.AddrFrom16(b), 1000)
}

// Guesses cost time: after some an address waits half a minute for each, and nothing but that it was wrong is told.
func TestGuesses(t *testing.T) {
	r := newRig(t, nil)
	tries := 0
	for i := range 400 {
		addr := netip.AddrPortFrom(home.Addr(), uint16(1+i))
		c := r.dial(addr, [16]byte{0xee})
		r.pass(3 * time.Second)
		if c.conn.State() == dtls.Established {
			t.Fatal("let in")
		}
		delete(r.clients, addr)
		tries = int(r.agent.Counters.Guesses)
	}
	// 20 minutes: a burst of 5, and one each 30 s.
	if tries < 40 || tries > 50 {
		t.Errorf("%d guesses in 20 minutes", tries)
	}
	if r.agent.Counters.Refused < 300 {
		t.Errorf("%+v", r.agent.Counters)
	}
	if r.events[0].Kind != Guessed || len(r.agent.sessions) > maxHandshakes {
		t.Errorf("%+v", r.events[0])
	}
	// The owner, at another address, is not kept out.
	r.pass(10 * time.Second)
	if c := r.dial(addrOf(1), pskc); c.conn.State() != dtls.Established {
		t.Error("the owner is kept out")
	}
}

// Strangers in numbers: hellos without a cookie cost nothing, with one a few handshakes; a commissioner that is there is not disturbed.
func TestFlood(t *testing.T) {
	r := newRig(t, nil)
	c := r.commissioner(home, 7)
	hello, err := dtls.Dial(r.now, dtls.Config{Password: []byte("x"), Rand: rand.NewChaCha8([32]byte{5})})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := hello.PollTransmit()
	for i := range 5000 {
		r.agent.HandleDatagram(r.now, addrOf(i), b)
		if out, ok := r.agent.PollTransmit(); !ok || len(out.Datagram) >= len(b) {
			t.Fatal("no cookie, or more than was asked with")
		}
	}
	if len(r.agent.sessions) != 1 || len(r.agent.sources) != 1 {
		t.Errorf("%d sessions, %d sources", len(r.agent.sessions), len(r.agent.sources))
	}
	for i := range 300 { // from where they are, and silent after the cookie
		x := r.dial(addrOf(i), [16]byte{1})
		x.deaf = true
		delete(r.clients, x.addr)
		r.now = r.now.Add(20 * time.Millisecond)
		if len(r.agent.sessions) > MaxSessions || len(r.agent.sources) > maxSources {
			t.Fatalf("%d sessions, %d sources", len(r.agent.sessions), len(r.agent.sources))
		}
	}
	if n := r.agent.Counters; n.Refused < 280 {
		t.Errorf("%+v", n)
	}
	if q := c.ask(tmf.URIActiveGet, nil); len(q) != 1 {
		t.Error("the commissioner is disturbed")
	}
	r.agent.HandleDatagram(r.now, addrOf(1e6), []byte("what is no hello"))
	if r.agent.Counters.Strange != 1 {
		t.Errorf("%+v", r.agent.Counters)
	}
}

// Not all that a commissioner sends goes on the air: not twice the same while it is under way, not too much, not beyond the mesh.
func TestProxyBounds(t *testing.T) {
	r := newRig(t, nil)
	c := r.commissioner(home, 7)
	send := func(to string, data []byte) int {
		b, err := meshcop.Proxied{Addr: netip.MustParseAddr(to), SrcPort: 61631, DstPort: 61631, Data: data}.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		return len(c.tell(tmf.URIUDPProxyTransmit, b))
	}
	for _, to := range []string{"fe80::1", "::1", "ff05::1", "ff0e::1"} {
		if send(to, []byte("x")) != 0 {
			t.Errorf("sent to %s", to)
		}
	}
	if send("fd00::1", make([]byte, maxDatagram+1)) != 0 || r.agent.Counters.Malformed != 5 {
		t.Errorf("too long: %+v", r.agent.Counters)
	}
	if send("ff03::1", []byte("x")) != 1 || send("ff03::1", []byte("x")) != 0 || send("ff03::2", []byte("x")) != 1 || r.agent.Counters.Repeated != 1 {
		t.Errorf("%+v", r.agent.Counters)
	}
	r.now = r.now.Add(6 * time.Second)
	if send("ff03::1", []byte("x")) != 1 {
		t.Error("not again after some time")
	}
	sent := 0
	for i := range 100 {
		sent += send("fd00::1", []byte{byte(i)})
	}
	if sent > sendBurst || sent < sendBurst-3 || r.agent.Counters.Limited == 0 {
		t.Errorf("%d sent, %+v", sent, r.agent.Counters)
	}
	r.agent.HandleReport(r.now, Report{Kind: Received, Src: addrOf(1), DstPort: 1, Payload: make([]byte, maxDatagram+1)})
	if r.agent.Counters.Lost != 1 {
		t.Errorf("%+v", r.agent.Counters)
	}
}

// FuzzDatagram has strangers send whatever they like, to an agent that has a commissioner.
func FuzzDatagram(f *testing.F) {
	hello, err := dtls.Dial(time.Unix(0, 0), dtls.Config{Password: []byte("x"), Rand: rand.NewChaCha8([32]byte{5})})
	if err != nil {
		f.Fatal(err)
	}
	b, _ := hello.PollTransmit()
	f.Add(b)
	f.Add([]byte{22, 254, 253})
	r := newRig(f, nil)
	r.commissioner(home, 7)
	f.Fuzz(func(t *testing.T, b []byte) {
		r.agent.HandleDatagram(r.now, home, b)
		r.agent.HandleDatagram(r.now, addrOf(1), b)
		r.run()
		if at, ok := r.agent.Commissioner(); !ok || at != home || len(r.agent.sessions) > MaxSessions {
			t.Error("the commissioner is disturbed")
		}
	})
}

// FuzzMessage has a commissioner send whatever it likes.
func FuzzMessage(f *testing.F) {
	seed := func(t coap.Type, uri string, payload []byte) {
		b, err := post(t, uri, payload).AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	relayed, _ := meshcop.Relayed{Port: 1, Router: 0x0400, Datagram: []byte("x")}.AppendBinary(nil)
	proxied, _ := meshcop.Proxied{Addr: netip.MustParseAddr("fd00::1"), SrcPort: 1, DstPort: 1}.AppendBinary(nil)
	seed(coap.Confirmable, tmf.URICommissionerPetition, petition("x"))
	seed(coap.Confirmable, tmf.URICommissionerKeepAlive, alive(meshcop.StateAccept, 7))
	seed(coap.NonConfirmable, tmf.URIRelayTransmit, relayed)
	seed(coap.NonConfirmable, tmf.URIUDPProxyTransmit, proxied)
	seed(coap.Confirmable, tmf.URIActiveSet, nil)
	r := newRig(f, nil)
	c := r.commissioner(home, 7)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1000 {
			return
		}
		s := r.agent.find(home)
		if err := s.coap.HandleDatagram(r.now, dialog, bytes.Clone(b)); err == nil {
			for ev, ok := s.coap.PollEvent(); ok; ev, ok = s.coap.PollEvent() {
				if ev.Kind == coap.RequestReceived {
					r.agent.handle(r.now, s, ev)
				}
			}
		}
		r.agent.pump(r.now, s)
		c.got = nil
		r.run()
		for _, q := range r.asked {
			if q.Kind == Ask {
				r.report(Report{Kind: Answer, ID: q.ID, Code: coap.Changed, Payload: b[:min(len(b), 5)]})
			}
		}
		r.asked, r.events, c.got = nil, nil, nil
		s.active, s.open, r.agent.repeats = true, nil, repeats{}
		if len(r.agent.sessions) != 1 || len(s.open) > maxExchanges {
			t.Errorf("%d sessions, %d exchanges", len(r.agent.sessions), len(s.open))
		}
	})
}
