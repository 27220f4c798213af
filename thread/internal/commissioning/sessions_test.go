package commissioning

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/dtls"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

func TestJoiners(t *testing.T) {
	c := newCore()
	l := NewJoiners(c)
	if s := l.Steering(); s.Contains([8]byte{}) || len(s) != 1 {
		t.Errorf("%x", s)
	}
	for i := range byte(MaxJoiners) {
		if err := l.Add(Joiner{EUI64: [8]byte{i}, Password: "x", Until: c.Now.Add(time.Duration(i+1) * time.Second)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Add(Joiner{Any: true}); !errors.Is(err, core.ErrTableFull) {
		t.Error(err)
	}
	if err := l.Add(Joiner{EUI64: [8]byte{3}, Password: "y", Until: c.Now.Add(time.Hour)}); err != nil || len(l.All()) != MaxJoiners {
		t.Errorf("again: %v", err)
	}
	if j := l.match(meshcop.JoinerID([8]byte{3})); j == nil || j.Password != "y" || !l.Steering().Contains(meshcop.JoinerID([8]byte{9})) {
		t.Errorf("%+v", j)
	}
	if l.match(meshcop.JoinerID([8]byte{99})) != nil {
		t.Error("somebody else")
	}
	l.Shorten([8]byte{3}, 2*time.Second)
	if at, ok := l.NextTimeout(); !ok || at != c.Now.Add(time.Second) {
		t.Errorf("%v, %v", at, ok)
	}
	c.Advance(c.Now.Add(10 * time.Second))
	if l.HandleTimeout(); len(l.All()) != MaxJoiners-10 {
		t.Errorf("%d are left", len(l.All()))
	}
	if err := l.Add(Joiner{EUI64: [8]byte{7}, Any: true, Password: "z", Until: c.Now.Add(time.Hour)}); err != nil || !l.Steering().Any() {
		t.Errorf("any: %v", err)
	}
	if j := l.match([8]byte{42}); j == nil || j.Password != "z" || j.EUI64 != [8]byte{} {
		t.Errorf("%+v", j)
	}
	if err := errors.Join(l.Remove([8]byte{}, true), l.Remove([8]byte{20}, false)); err != nil {
		t.Error(err)
	}
	if err := l.Remove([8]byte{20}, false); !errors.Is(err, core.ErrNotFound) {
		t.Error(err)
	}
}

func newSessions() (*Sessions, *Joiners, *core.Core) {
	c := core.New(rand.NewChaCha8([32]byte{1}), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{1})
	c.Advance(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	l := NewJoiners(c)
	return NewSessions(c, SessionTiming{DTLS: dtls.DefaultTiming(), CoAP: coap.DefaultTiming(), Silence: 30 * time.Second, Remain: 20 * time.Second}, l), l, c
}

// counting is a source of bytes that differ.
type counting struct{ n byte }

func (c *counting) Read(b []byte) (int, error) {
	for i := range b {
		c.n++
		b[i] = c.n*7 + 1
	}
	return len(b), nil
}

// hello has a joiner say hello with its cookie, and returns its connection.
func hello(t *testing.T, s *Sessions, c *core.Core, n byte) (*dtls.Conn, meshcop.Relayed) {
	t.Helper()
	conn, err := dtls.Dial(c.Now, dtls.Config{Password: []byte("J01NME"), Rand: &counting{n: n}})
	if err != nil {
		t.Fatal(err)
	}
	r := meshcop.Relayed{Port: 1000, IID: [8]byte{n}, Router: 0x0400}
	r.Datagram, _ = conn.PollTransmit()
	s.Receive(r)
	answer, ok := s.Poll()
	if !ok || s.Len() != 0 && n == 1 || answer.HasKEK || len(answer.Datagram) > 64 {
		t.Fatalf("%+v, %v, %d sessions", answer, ok, s.Len())
	}
	conn.HandleDatagram(c.Now, answer.Datagram)
	r.Datagram, _ = conn.PollTransmit()
	return conn, r
}

// As many joiners are talked to as there is place for; who falls silent gives it up.
func TestSessionsBounded(t *testing.T) {
	s, l, c := newSessions()
	stranger := meshcop.Relayed{Port: 1000, IID: [8]byte{9}, Router: 0x0400, Datagram: []byte("x")}
	if s.Receive(stranger); s.Refused != 1 {
		t.Error("nobody may join")
	}
	_ = l.Add(Joiner{Any: true, Password: "J01NME", Until: c.Now.Add(time.Hour)})
	if s.Receive(stranger); s.Refused != 2 {
		t.Error("no hello")
	}
	for n := byte(1); n <= maxSessions+2; n++ {
		_, r := hello(t, s, c, n)
		s.Receive(r)
		if _, ok := s.Poll(); ok != (n <= maxSessions) || s.Len() != min(int(n), maxSessions) {
			t.Errorf("%d: %v, %d sessions", n, ok, s.Len())
		}
		for _, ok := s.Poll(); ok; _, ok = s.Poll() {
		}
	}
	for range 20 {
		at, ok := s.NextTimeout()
		if !ok {
			break
		}
		c.Advance(at)
		s.HandleTimeout()
	}
	if s.Len() != 0 {
		t.Errorf("%d are left", s.Len())
	}
	failed := 0
	for ev, ok := s.PollEvent(); ok; ev, ok = s.PollEvent() {
		if ev.Step == JoinerFailed && errors.Is(ev.Err, dtls.ErrTimeout) {
			failed++
		}
	}
	if failed != maxSessions {
		t.Errorf("%d have failed", failed)
	}
}

// A joiner that begins anew, as after a restart, is heard; a stranger that says hello in its name gets a cookie, to a place where he is not.
func TestSessionAnew(t *testing.T) {
	s, l, c := newSessions()
	_ = l.Add(Joiner{Any: true, Password: "J01NME", Until: c.Now.Add(time.Hour)})
	_, r := hello(t, s, c, 1)
	s.Receive(r)
	first := s.list[0].conn
	conn, err := dtls.Dial(c.Now, dtls.Config{Password: []byte("J01NME"), Rand: &counting{n: 99}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r.Datagram, _ = conn.PollTransmit()
		s.out = nil
		if s.Receive(r); len(s.out) != 1 {
			t.Fatalf("%d answers", len(s.out))
		}
		if s.list[0].conn == first {
			conn.HandleDatagram(c.Now, s.out[0].Datagram)
		}
	}
	if s.Len() != 1 || s.list[0].conn == first {
		t.Errorf("%d sessions, the old one: %v", s.Len(), s.list[0].conn == first)
	}
	s.Stop()
	if s.Len() != 0 {
		t.Error("after Stop")
	}
}

func FuzzSessions(f *testing.F) {
	f.Add([]byte{22, 0xfe, 0xfd})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, l, c := newSessions()
		_ = l.Add(Joiner{Any: true, Password: "J01NME", Until: c.Now.Add(time.Hour)})
		_, r := hello(t, s, c, 1)
		s.Receive(r)
		r.Datagram = b
		s.Receive(r)
		r.Port++
		s.Receive(r)
	})
}
