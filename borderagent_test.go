package pymesh_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/dtls"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

const passphrase = "correct horse battery"

// hostSocket is a UDP socket of a host whose network is the test.
type hostSocket struct {
	in       chan hostDatagram
	out      chan hostDatagram
	mu       sync.Mutex
	deadline chan struct{} // closed when it is over
	closed   chan struct{}
}

type hostDatagram struct {
	peer netip.AddrPort
	data []byte
}

func newHostSocket() *hostSocket {
	return &hostSocket{in: make(chan hostDatagram, 64), out: make(chan hostDatagram, 64), deadline: make(chan struct{}), closed: make(chan struct{})}
}

func (h *hostSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	h.mu.Lock()
	deadline := h.deadline
	h.mu.Unlock()
	select {
	case d := <-h.in:
		return copy(b, d.data), net.UDPAddrFromAddrPort(d.peer), nil
	case <-deadline:
		return 0, nil, os.ErrDeadlineExceeded
	case <-h.closed:
		return 0, nil, net.ErrClosed
	}
}

func (h *hostSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	h.out <- hostDatagram{to.(*net.UDPAddr).AddrPort(), bytes.Clone(b)}
	return len(b), nil
}

func (h *hostSocket) SetReadDeadline(t time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.IsZero() {
		h.deadline = make(chan struct{})
	} else {
		close(h.deadline)
	}
	return nil
}

func (h *hostSocket) Close() error { close(h.closed); return nil }
func (h *hostSocket) LocalAddr() net.Addr {
	return &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: pymesh.BorderAgentPort}
}
func (h *hostSocket) SetDeadline(time.Time) error      { return nil }
func (h *hostSocket) SetWriteDeadline(time.Time) error { return nil }

// outsideClient is a commissioner on the host's network.
type outsideClient struct {
	t    *testing.T
	wire *hostSocket
	addr netip.AddrPort
	conn *dtls.Conn
	coap *coap.Endpoint[int]
}

func dialOutside(t *testing.T, wire *hostSocket, port uint16, key [16]byte) *outsideClient {
	t.Helper()
	source := rand.NewChaCha8([32]byte{byte(port), 77})
	conn, err := dtls.Dial(time.Now(), dtls.Config{Password: key[:], Rand: source})
	if err != nil {
		t.Fatal(err)
	}
	return &outsideClient{
		t: t, wire: wire, addr: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.7"), port), conn: conn,
		coap: coap.NewEndpoint[int](coap.Config{Timing: coap.DefaultTiming(), Rand: rand.New(source)}),
	}
}

// until moves messages until something holds, and reports whether it did in time.
func (c *outsideClient) until(limit time.Duration, done func() bool) bool {
	for end := time.Now().Add(limit); !done(); {
		for t, ok := c.coap.PollTransmit(); ok; t, ok = c.coap.PollTransmit() {
			_ = c.conn.Write(t.Payload)
		}
		for b, ok := c.conn.PollTransmit(); ok; b, ok = c.conn.PollTransmit() {
			c.wire.in <- hostDatagram{c.addr, b}
		}
		select {
		case d := <-c.wire.out:
			if d.peer == c.addr {
				c.conn.HandleDatagram(time.Now(), d.data)
			}
		case <-time.After(100 * time.Millisecond):
			c.conn.HandleTimeout(time.Now())
			if time.Now().After(end) {
				return false
			}
		}
	}
	return true
}

func (c *outsideClient) ask(uri string, payload []byte) (answer coap.Message) {
	c.t.Helper()
	options, _ := coap.Options(nil).AppendURIPath(uri)
	m := coap.Message{Type: coap.Confirmable, Code: coap.POST, Options: options, Payload: payload, Token: c.coap.NewToken()}
	path := coap.Path{Peer: netip.MustParseAddrPort("[::1]:1")}
	if err := c.coap.Request(time.Now(), path, m, 1); err != nil {
		c.t.Fatal(err)
	}
	ok := c.until(time.Minute, func() bool {
		b, has := c.conn.Read()
		if !has {
			return false
		}
		_ = c.coap.HandleDatagram(time.Now(), path, b)
		ev, has := c.coap.PollEvent()
		answer = ev.Message
		return has && ev.Kind == coap.ResponseReceived
	})
	if !ok {
		c.t.Fatalf("no answer to %s", uri)
	}
	return answer
}

// rename becomes the commissioner, and gives the network another name.
func (c *outsideClient) rename(name string) {
	c.t.Helper()
	answer := c.ask(tmf.URICommissionerPetition, tlv.Append(nil, meshcop.TypeCommissionerID, []byte("owner")))
	value, _ := tlv.Find(answer.Payload, meshcop.TypeCommissionerSessionID)
	session, err := meshcop.ParseCommissionerSessionID(value)
	if err != nil {
		c.t.Fatalf("petition: %+v, %v", answer, err)
	}
	payload := meshcop.AppendNetworkName(meshcop.AppendCommissionerSessionID(nil, session), name)
	c.ask(tmf.URIActiveSet, tlv.Append(payload, meshcop.TypeActiveTimestamp, []byte{0, 0, 0, 0, 0, 9, 0, 0}))
}

// A commissioner outside manages the mesh by the passphrase, whatever the network is called by then; with another it does not.
func TestServeCommissioner(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var log bytes.Buffer
		m.attached(pymesh.WithNetworkName("home"))
		n := m.attached(pymesh.WithNetworkName("home"), pymesh.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		wire := newHostSocket()
		var mu sync.Mutex
		var steps []pymesh.CommissionerStep
		over := make(chan error, 1)
		go func() {
			over <- n.ServeCommissioner(ctx, wire, pymesh.BorderAgent{Passphrase: passphrase, Event: func(ev pymesh.BorderAgentEvent) {
				mu.Lock()
				defer mu.Unlock()
				steps = append(steps, ev.Step)
			}})
		}()
		keyFor := func() [16]byte {
			key, err := meshcop.PSKc(passphrase, n.Network().Name, n.Network().ExtPANID)
			if err != nil {
				t.Fatal(err)
			}
			return key
		}
		key := keyFor()
		wrong := dialOutside(t, wire, 1, [16]byte{1})
		if wrong.until(time.Minute, func() bool { return wrong.conn.State() != dtls.Handshaking }); !errors.Is(wrong.conn.Err(), dtls.ErrPassword) {
			t.Errorf("another passphrase: %v", wrong.conn.Err())
		}
		if err := n.ServeCommissioner(ctx, newHostSocket(), pymesh.BorderAgent{Passphrase: passphrase}); !errors.Is(err, thread.ErrExists) {
			t.Errorf("twice: %v", err)
		}
		time.Sleep(5 * time.Second)
		c := dialOutside(t, wire, 2, key)
		if !c.until(time.Minute, func() bool { return c.conn.State() == dtls.Established }) {
			t.Fatal("not let in")
		}
		c.rename("away")
		m.until(time.Minute, "another name", func() bool { return n.Network().Name == "away" })
		c.conn.Close()
		c.until(5*time.Second, func() bool { return false })
		if other := keyFor(); other == key {
			t.Error("the same key under another name")
		} else if c = dialOutside(t, wire, 3, other); !c.until(time.Minute, func() bool { return c.conn.State() == dtls.Established }) {
			t.Error("not let in under another name")
		}
		cancel()
		if err := <-over; !errors.Is(err, context.Canceled) {
			t.Errorf("over: %v", err)
		}
		mu.Lock()
		defer mu.Unlock()
		want := []pymesh.CommissionerStep{
			pymesh.CommissionerGuessed, pymesh.CommissionerConnected, pymesh.CommissionerAccepted, pymesh.CommissionerGone,
			pymesh.CommissionerConnected, pymesh.CommissionerGone,
		}
		if !slices.Equal(steps, want) {
			t.Errorf("%v, want %v", steps, want)
		}
		if strings.Contains(log.String(), passphrase) || strings.Contains(log.String(), string(key[:])) {
			t.Errorf("a secret in the log:\n%s", &log)
		}
	})
}

// What cannot be served is said at once, and what ends it why.
func TestServeCommissionerErrors(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		ctx := t.Context()
		n := m.start(m.radio())
		for name, err := range map[string]error{
			"no socket":     n.ServeCommissioner(ctx, nil, pymesh.BorderAgent{Passphrase: passphrase}),
			"no passphrase": n.ServeCommissioner(ctx, newHostSocket(), pymesh.BorderAgent{}),
			"short":         n.ServeCommissioner(ctx, newHostSocket(), pymesh.BorderAgent{Passphrase: "12345"}),
		} {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if err := n.ServeCommissioner(ctx, newHostSocket(), pymesh.BorderAgent{}); !errors.Is(err, pymesh.ErrNoPassphrase) {
			t.Errorf("%v", err)
		}
		wire := newHostSocket()
		over := make(chan error, 1)
		serve := func() {
			over <- n.ServeCommissioner(ctx, wire, pymesh.BorderAgent{Passphrase: passphrase})
		}
		go serve()
		time.Sleep(time.Second)
		wire.Close()
		if err := <-over; !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed socket: %v", err)
		}
		wire = newHostSocket()
		go serve()
		time.Sleep(time.Second)
		n.Close()
		if err := <-over; !errors.Is(err, pymesh.ErrClosed) {
			t.Errorf("closed node: %v", err)
		}
		if err := n.ServeCommissioner(ctx, newHostSocket(), pymesh.BorderAgent{Passphrase: passphrase}); !errors.Is(err, pymesh.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if s := (pymesh.BorderAgent{Passphrase: passphrase}).GoString(); strings.Contains(s, passphrase) {
			t.Error(s)
		}
	})
}
