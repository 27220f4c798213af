package dtls

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// pair is a client and a server with a line between them.
type pair struct {
	now      time.Time
	client   *Conn
	server   *Conn // nil before its hello
	cookies  *Cookies
	config   Config // of the server
	accepted error
	line     func(n int, datagram []byte) [][]byte // what becomes of datagram n, nil for itself
	n        int
	sizes    []int
	delay    time.Duration
	transit  []transit
}

type transit struct {
	at       time.Time
	toServer bool
	b        []byte
}

func config(password string, seed byte) Config {
	return Config{Password: []byte(password), Rand: rand.NewChaCha8([32]byte{seed}), Timing: Timing{Initial: time.Second, Max: 10 * time.Second, Retransmissions: 5}}
}

func newPair(t testing.TB, client, server Config) *pair {
	t.Helper()
	p := &pair{now: start, config: server, delay: 10 * time.Millisecond}
	var err error
	if p.cookies, err = NewCookies(rand.NewChaCha8([32]byte{9})); err != nil {
		t.Fatal(err)
	}
	if p.client, err = Dial(p.now, client); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pair) put(toServer bool, b []byte) {
	p.sizes = append(p.sizes, len(b))
	out := [][]byte{b}
	if p.line != nil {
		out = p.line(p.n, b)
	}
	p.n++
	for i, b := range out {
		p.transit = append(p.transit, transit{p.now.Add(p.delay * time.Duration(1+i)), toServer, bytes.Clone(b)})
	}
}

func (p *pair) collect() {
	for b, ok := p.client.PollTransmit(); ok; b, ok = p.client.PollTransmit() {
		p.put(true, b)
	}
	if p.server == nil {
		return
	}
	for b, ok := p.server.PollTransmit(); ok; b, ok = p.server.PollTransmit() {
		p.put(false, b)
	}
}

func (p *pair) deliver(x transit) {
	switch {
	case !x.toServer:
		p.client.HandleDatagram(p.now, x.b)
	case p.server != nil:
		p.server.HandleDatagram(p.now, x.b)
	default:
		reply, ok := p.cookies.Check(p.now, []byte("peer"), x.b)
		if ok {
			p.server, p.accepted = Accept(p.now, p.config, x.b)
		} else if reply != nil {
			p.put(false, reply)
		}
	}
}

// run lets time pass until both are through, or nothing more happens.
func (p *pair) run() {
	for range 10000 {
		p.collect()
		next := time.Time{}
		for _, x := range p.transit {
			if next.IsZero() || x.at.Before(next) {
				next = x.at
			}
		}
		for _, c := range []*Conn{p.client, p.server} {
			if c == nil {
				continue
			}
			if t, ok := c.NextTimeout(); ok && (next.IsZero() || t.Before(next)) {
				next = t
			}
		}
		if next.IsZero() {
			return
		}
		p.now = next
		i := slices.IndexFunc(p.transit, func(x transit) bool { return !x.at.After(p.now) })
		if i >= 0 {
			x := p.transit[i]
			p.transit = slices.Delete(p.transit, i, i+1)
			p.deliver(x)
			continue
		}
		p.client.HandleTimeout(p.now)
		if p.server != nil {
			p.server.HandleTimeout(p.now)
		}
	}
}

func (p *pair) check(t *testing.T) {
	t.Helper()
	if p.server == nil || p.client.State() != Established || p.server.State() != Established {
		t.Fatalf("client %v, server %v, %v", p.client.State(), p.server, p.client.Err())
	}
	if p.client.KEK() != p.server.KEK() || p.client.KEK() == [KEKSize]byte{} {
		t.Error("the KEK differs")
	}
	for i, c := range []*Conn{p.client, p.server} {
		other := []*Conn{p.server, p.client}[i]
		if err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		b, _ := c.PollTransmit()
		other.HandleDatagram(p.now, b)
		if got, ok := other.Read(); !ok || string(got) != "hello" {
			t.Errorf("%q", got)
		}
		other.HandleDatagram(p.now, b)
		if _, ok := other.Read(); ok || other.Counters.Replayed == 0 {
			t.Error("a record is taken twice")
		}
	}
}

func TestHandshake(t *testing.T) {
	p := newPair(t, config("J01NME", 1), config("J01NME", 2))
	p.run()
	p.check(t)
	if p.now.Sub(start) > time.Second || len(p.sizes) != 6 {
		t.Errorf("%v, datagrams of %v bytes", p.now.Sub(start), p.sizes)
	}
	t.Logf("datagrams of %v bytes", p.sizes)
}

// A stranger's hello costs a cookie, whose sender keeps nothing, and which is good for him alone and for two minutes.
func TestCookies(t *testing.T) {
	p := newPair(t, config("J01NME", 1), config("J01NME", 2))
	first, _ := p.client.PollTransmit()
	reply, ok := p.cookies.Check(p.now, []byte("peer"), first)
	if ok || len(reply) > 60 {
		t.Fatalf("%x, %v", reply, ok)
	}
	p.client.HandleDatagram(p.now, reply)
	second, _ := p.client.PollTransmit()
	if bytes.Equal(first, second) {
		t.Fatal("the cookie is not shown")
	}
	for _, tt := range []struct {
		peer  string
		after time.Duration
		want  bool
	}{{"peer", 0, true}, {"peer", time.Minute, true}, {"peer", 2 * time.Minute, false}, {"another", 0, false}} {
		if _, ok := p.cookies.Check(p.now.Add(tt.after), []byte(tt.peer), second); ok != tt.want {
			t.Errorf("%s after %v: %v", tt.peer, tt.after, ok)
		}
	}
	for i := range second {
		if reply, ok := p.cookies.Check(p.now, []byte("peer"), second[:i]); ok || reply != nil {
			t.Fatalf("a hello of %d bytes is taken", i)
		}
	}
}

func TestLoss(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		p := newPair(t, config("J01NME", byte(seed)), config("J01NME", byte(seed+100)))
		p.client.cfg.MTU, p.config.MTU = 1152>>(seed%4), 1152>>(seed%3)
		p.line = func(_ int, b []byte) [][]byte {
			switch x := r.IntN(10); {
			case x < 2:
				return [][]byte{}
			case x < 3:
				return [][]byte{b, b}
			}
			return [][]byte{b}
		}
		if seed%4 != 0 { // a hello in fragments is not taken
			p.client.cfg.MTU = DefaultMTU
		}
		p.run()
		p.line = nil
		if p.client.State() != Established || p.server == nil || p.server.State() != Established {
			t.Errorf("seed %d: %v, %v, %v, %+v", seed, p.client.State(), p.server != nil, p.client.Err(), p.client.Counters)
		}
	}
}

// What is altered on its way may end a handshake, but does not make one.
func TestAltered(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 0))
		p := newPair(t, config("J01NME", 1), config("J01NME", 2))
		p.line = func(_ int, b []byte) [][]byte {
			if r.IntN(3) == 0 {
				b = bytes.Clone(b)
				b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			}
			return [][]byte{b}
		}
		p.run()
		if p.line = nil; p.client.State() == Established && p.server.State() == Established {
			p.check(t)
		}
	}
}

func TestFragments(t *testing.T) {
	for _, mtu := range []int{MinMTU, 200, 300} {
		s := config("J01NME", 2)
		s.MTU = mtu
		p := newPair(t, config("J01NME", 1), s)
		p.run()
		p.check(t)
		for _, n := range p.sizes[3 : len(p.sizes)-2] {
			if n > mtu {
				t.Errorf("a datagram of %d bytes", n)
			}
		}
	}
}

func TestWrongPassword(t *testing.T) {
	p := newPair(t, config("J01NME", 1), config("J01NMF", 2))
	p.run()
	if !errors.Is(p.client.Err(), ErrPassword) || !errors.Is(p.server.Err(), ErrPassword) || p.now.Sub(start) > time.Second {
		t.Errorf("%v, %v after %v", p.client.Err(), p.server.Err(), p.now.Sub(start))
	}
	if err := p.client.Write(nil); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestNobody(t *testing.T) {
	p := newPair(t, config("J01NME", 1), config("J01NME", 2))
	p.line = func(int, []byte) [][]byte { return nil }
	p.run()
	if !errors.Is(p.client.Err(), ErrTimeout) || len(p.sizes) != 6 || p.now.Sub(start) != (1+2+4+8+10+10)*time.Second {
		t.Errorf("%v, %d hellos in %v", p.client.Err(), len(p.sizes), p.now.Sub(start))
	}
}

// What anybody can say in between does not end a handshake that goes well.
func TestIntruder(t *testing.T) {
	alert := appendRecordHeader(nil, typeAlert, 0, 7, 2)
	alert = append(alert, alertFatal, alertHandshakeFailure)
	forged := appendRecordHeader(nil, typeHandshake, 1, 0, 48)
	forged = append(forged, make([]byte, 48)...)
	verify := appendHelloVerify(nil, []byte("x"))
	again := appendFragment(nil, helloVerifyRequest, 0, verify, 0, len(verify))
	again = append(appendRecordHeader(nil, typeHandshake, 0, 0, len(again)), again...)
	for name, b := range map[string][]byte{"alert": alert, "Finished": forged, "cookie": again} {
		p := newPair(t, config("J01NME", 1), config("J01NME", 2))
		p.line = func(_ int, d []byte) [][]byte { return [][]byte{b, d, b} }
		p.run()
		if p.client.State() != Established || p.server.State() != Established {
			t.Errorf("%s: %v, %v", name, p.client.Err(), p.server.Err())
		}
	}
}

func TestClose(t *testing.T) {
	p := newPair(t, config("J01NME", 1), config("J01NME", 2))
	if err := p.client.Write(nil); !errors.Is(err, ErrNotReady) {
		t.Error(err)
	}
	p.run()
	if err := p.client.Write(make([]byte, DefaultMTU)); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
	p.client.Close()
	p.client.Close()
	p.run()
	if !errors.Is(p.client.Err(), ErrClosed) || !errors.Is(p.server.Err(), ErrClosed) {
		t.Errorf("%v, %v", p.client.Err(), p.server.Err())
	}
}

func TestWindow(t *testing.T) {
	var w window
	for _, tt := range []struct {
		n     uint64
		fresh bool
	}{{5, true}, {5, false}, {3, true}, {3, false}, {100, true}, {5, false}, {37, true}, {36, false}, {101, true}, {100, false}, {99, true}} {
		if got := w.fresh(tt.n); got != tt.fresh {
			t.Errorf("%d: %v", tt.n, got)
		}
		if tt.fresh {
			w.mark(tt.n)
		}
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// NIST SP 800-38C, example 3: a nonce of 12 bytes and a MIC of 8.
func TestCCM(t *testing.T) {
	c := newCCM8([keySize]byte(unhex(t, "404142434445464748494a4b4c4d4e4f")))
	nonce := [nonceSize]byte(unhex(t, "101112131415161718191a1b"))
	additional, plain := unhex(t, "000102030405060708090a0b0c0d0e0f10111213"), unhex(t, "202122232425262728292a2b2c2d2e2f3031323334353637")
	sealed := c.seal(nil, &nonce, additional, plain)
	if got := hex.EncodeToString(sealed); got != "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951" {
		t.Errorf("%s", got)
	}
	if got, err := c.open(&nonce, additional, sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%x, %v", got, err)
	}
	for i := range sealed {
		sealed[i] ^= 1
		if _, err := c.open(&nonce, additional, sealed); err == nil {
			t.Errorf("byte %d altered", i)
		}
		sealed[i] ^= 1
	}
	if _, err := c.open(&nonce, additional, sealed[:micSize-1]); err == nil {
		t.Error("without a MIC")
	}
}

// The test vector of the TLS 1.2 PRF with SHA-256 that circulates with RFC 5246 (mailing list of the TLS working group, 2009).
func TestPRF(t *testing.T) {
	out := make([]byte, 100)
	prf(out, unhex(t, "9bbe436ba940f017b17652849a71db35"), "test label", unhex(t, "a0ba9f936cda311827a6f796ffd5198c"))
	want := "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66"
	if got := hex.EncodeToString(out); got != want {
		t.Errorf("%s", got)
	}
}

func FuzzConn(f *testing.F) {
	p := newPair(f, config("J01NME", 1), config("J01NME", 2))
	p.line = func(_ int, b []byte) [][]byte {
		f.Add(b, false)
		f.Add(b, true)
		return [][]byte{b}
	}
	p.run()
	hello, _ := newPair(f, config("J01NME", 1), config("J01NME", 2)).client.PollTransmit()
	f.Fuzz(func(t *testing.T, b []byte, late bool) {
		q := newPair(t, config("J01NME", 1), config("J01NME", 2))
		if late {
			q.run()
		}
		q.cookies.Check(q.now, []byte("x"), b)
		if c, err := Accept(q.now, q.config, b); err == nil {
			c.HandleDatagram(q.now, b)
		}
		for i := range 3 {
			q.client.HandleDatagram(q.now.Add(time.Duration(i)*time.Second), b)
			if q.server != nil {
				q.server.HandleDatagram(q.now, b)
			}
		}
		if late {
			if q.client.State() != Established || q.server.State() != Established {
				t.Fatalf("%x has ended a connection", b)
			}
			return
		}
		if q.server, _ = Accept(q.now, q.config, hello); q.server != nil {
			q.server.HandleDatagram(q.now, b)
		}
	})
}

// FuzzParse tries the parsers by themselves, and that what is parsed is what is written.
func FuzzParse(f *testing.F) {
	f.Add(appendClientHello(nil, &[randomSize]byte{1}, []byte("cookie"), []byte("one")))
	f.Add(appendServerHello(nil, &[randomSize]byte{1}, true, []byte("one")))
	f.Add(appendHelloVerify(nil, []byte("cookie")))
	f.Add(appendFragment(nil, finished, 3, make([]byte, 12), 2, 5))
	f.Add(appendRecordHeader(nil, typeAlert, 1, 3, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = parseClientHello(b)
		_, _ = parseServerHello(b)
		if cookie, err := parseHelloVerify(b); err == nil && !bytes.Equal(appendHelloVerify(nil, cookie)[2:], b[2:]) {
			t.Errorf("%x", b)
		}
		if _, _, err := parseFragment(b); err != nil && !errors.Is(err, ErrFormat) {
			t.Error(err)
		}
		if r, rest, err := parseRecord(b); err == nil && len(r.fragment)+len(rest)+recordHeaderSize != len(b) {
			t.Error(fmt.Sprint(r))
		}
		var c collector
		for len(b) > 0 {
			var err error
			var x fragment
			if x, b, err = parseFragment(b); err != nil {
				return
			}
			c.add(x)
		}
	})
}
