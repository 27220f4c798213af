package joining

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/dtls"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/commissioning"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

const password = "J01NME"

var (
	eui64 = [8]byte{0x18, 0xb4, 0x30, 0, 0, 0, 0, 9}
	id    = meshcop.JoinerID(eui64)
)

func newCore(seed byte) *core.Core {
	c := core.New(rand.NewChaCha8([32]byte{seed}), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{seed})
	c.Advance(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	return c
}

func testTiming() Timing {
	return Timing{DTLS: dtls.DefaultTiming(), CoAP: coap.DefaultTiming(), Entrust: 7 * time.Second, Linger: time.Second, Pause: time.Second}
}

// stage is a joiner whose datagrams go to the sessions of a commissioner at once.
type stage struct {
	t        *testing.T
	core     *core.Core
	joiner   *Joiner
	joiners  *commissioning.Joiners
	sessions *commissioning.Sessions
	offers   []Candidate // of each discovery
	rounds   int
	busy     error
	deaf     map[ieee802154.ExtAddr]bool // joiner routers that lead nowhere
	kek      [dtls.KEKSize]byte          // from the commissioner
	trusted  [dtls.KEKSize]byte          // by the joiner
	states   []State
	tuned    bool
	left     int
	silence  int // datagrams of the joiner after which nobody answers any more, 0 for never
	sent     int
	err      error
	over     bool
}

func newStage(t *testing.T) *stage {
	c := newCore(1)
	x := &stage{t: t, core: c, joiners: commissioning.NewJoiners(c), deaf: map[ieee802154.ExtAddr]bool{}}
	x.joiner = NewJoiner(c, testTiming(), x)
	x.sessions = commissioning.NewSessions(c, commissioning.SessionTiming{
		DTLS: dtls.DefaultTiming(), CoAP: coap.DefaultTiming(), Silence: 30 * time.Second, Remain: 20 * time.Second,
	}, x.joiners)
	return x
}

func (x *stage) Discover() error {
	x.rounds++
	return x.busy
}
func (x *stage) Tune(Candidate) { x.tuned = true }
func (x *stage) Send(to Candidate, b []byte) {
	if x.sent++; x.deaf[to.Ext] || x.silence > 0 && x.sent > x.silence {
		return
	}
	x.sessions.Receive(meshcop.Relayed{Port: JoinerPort, IID: IIDOf(id), Router: 0x0400, Datagram: b})
}
func (x *stage) Trust(_ Candidate, kek [dtls.KEKSize]byte) { x.trusted = kek }
func (x *stage) Progress(s State, _ Candidate, err error) {
	x.states = append(x.states, s)
	if s == Idle {
		x.over, x.err = true, err
	}
}
func (x *stage) Leave() { x.tuned, x.left = false, x.left+1 }

func candidate(n byte, rssi int) Candidate {
	return Candidate{Ext: ieee802154.ExtAddr{n}, PANID: 1, Channel: 11, RSSI: rssi, Port: 1000, SteeringData: meshcop.AnySteeringData()}
}

// run lets time pass until the joiner is through.
func (x *stage) run(limit time.Duration) {
	end := x.core.Now.Add(limit)
	for !x.over && !x.core.Now.After(end) {
		if x.joiner.State() == Discovering && x.rounds > 0 && x.joiner.timer.IsZero() {
			for _, c := range x.offers {
				x.joiner.Found(c)
			}
			x.joiner.Discovered()
		}
		for r, ok := x.sessions.Poll(); ok; r, ok = x.sessions.Poll() {
			if r.HasKEK {
				x.kek = r.KEK
			}
			x.joiner.Receive(x.joiner.current.Ext, 1000, r.Datagram)
		}
		if x.joiner.State() == Entrusting && x.kek != [dtls.KEKSize]byte{} {
			return
		}
		next, ok := x.joiner.NextTimeout()
		if t, too := x.sessions.NextTimeout(); too && (!ok || t.Before(next)) {
			next, ok = t, true
		}
		if !ok {
			return
		}
		x.core.Advance(next)
		x.joiner.HandleTimeout()
		x.sessions.HandleTimeout()
	}
}

func (x *stage) allow(p string) {
	if err := x.joiners.Add(commissioning.Joiner{EUI64: eui64, Password: p, Until: x.core.Now.Add(time.Hour)}); err != nil {
		x.t.Fatal(err)
	}
}

func (x *stage) start(o Options) {
	if err := x.joiner.Start(id, o); err != nil {
		x.t.Fatal(err)
	}
}

// A joiner goes all the way, and both sides have the same KEK.
func TestJoiner(t *testing.T) {
	x := newStage(t)
	x.allow(password)
	x.offers = []Candidate{candidate(1, -90), candidate(2, -50)}
	x.start(Options{Password: password})
	x.run(time.Minute)
	if x.joiner.State() != Entrusting || x.kek != x.trusted || x.joiner.current.Ext != (ieee802154.ExtAddr{2}) {
		t.Fatalf("%v, %x, %x, by %v", x.joiner.State(), x.kek, x.trusted, x.joiner.current.Ext)
	}
	if c, ok := x.joiner.Entrust(); !ok || c.PANID != 1 {
		t.Errorf("%+v, %v", c, ok)
	}
	if _, ok := x.joiner.Entrust(); ok {
		t.Error("entrusted twice")
	}
	x.run(time.Minute)
	if !x.over || x.err != nil || x.tuned || x.joiner.State() != Idle {
		t.Errorf("%v, %v, %v", x.over, x.err, x.states)
	}
	var steps []commissioning.JoinerStep
	for ev, ok := x.sessions.PollEvent(); ok; ev, ok = x.sessions.PollEvent() {
		if steps = append(steps, ev.Step); ev.EUI64 != eui64 || ev.ID != id {
			t.Errorf("%+v", ev)
		}
	}
	if len(steps) != 2 || steps[1] != commissioning.JoinerAccepted || x.sessions.Len() != 0 {
		t.Errorf("%v, %d sessions", steps, x.sessions.Len())
	}
}

// A joiner router that leads nowhere is given up for the next.
func TestNextCandidate(t *testing.T) {
	x := newStage(t)
	x.allow(password)
	x.offers = []Candidate{candidate(1, -90), candidate(2, -50)}
	x.deaf[ieee802154.ExtAddr{2}] = true
	x.start(Options{Password: password})
	x.run(10 * time.Minute)
	if x.joiner.State() != Entrusting || x.joiner.current.Ext != (ieee802154.ExtAddr{1}) {
		t.Errorf("%v, %v", x.joiner.State(), x.err)
	}
	x.kek = [dtls.KEKSize]byte{}
	x.run(10 * time.Minute) // JOIN_ENT does not come
	if !errors.Is(x.err, ErrNoAnswer) || x.left == 0 {
		t.Errorf("%v", x.err)
	}
}

func TestFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(x *stage)
		options Options
		want    error
		rounds  int
	}{
		"no network":        {func(x *stage) { x.offers = nil }, Options{Password: password, Discoveries: 3}, ErrNoNetwork, 3},
		"not meant":         {func(x *stage) { x.offers[0].SteeringData = meshcop.SteeringData{0} }, Options{Password: password}, ErrNoNetwork, 1},
		"no port":           {func(x *stage) { x.offers[0].Port = 0 }, Options{Password: password}, ErrNoNetwork, 1},
		"wrong password":    {func(x *stage) { x.allow("J01NMF") }, Options{Password: password, Discoveries: 3}, ErrPassword, 1},
		"nobody lets it in": {func(x *stage) {}, Options{Password: password}, ErrNoAnswer, 1},
		"another commissioner": {func(x *stage) { x.allow(password) },
			Options{Password: password, Vendor: meshcop.Vendor{ProvisioningURL: "x"}, Discoveries: 2}, ErrRefused, 1},
	} {
		x := newStage(t)
		x.offers = []Candidate{candidate(1, -90)}
		tt.prepare(x)
		x.start(tt.options)
		x.run(time.Hour)
		if !x.over || !errors.Is(x.err, tt.want) || x.rounds != tt.rounds || x.tuned {
			t.Errorf("%s: %v, %v after %d discoveries", name, x.over, x.err, x.rounds)
		}
	}
	x := newStage(t)
	x.busy = core.ErrQueueFull
	if err := x.joiner.Start(id, Options{Password: password}); !errors.Is(err, core.ErrQueueFull) || x.joiner.State() != Idle {
		t.Errorf("%v", err)
	}
}

// Who guesses passwords has to wait longer and longer.
func TestGuesses(t *testing.T) {
	x := newStage(t)
	x.allow("J01NMF")
	x.offers = []Candidate{candidate(1, -90)}
	guesses := 0
	end := x.core.Now.Add(time.Hour)
	for x.core.Now.Before(end) {
		x.over = false
		x.start(Options{Password: password})
		x.run(time.Hour)
		if errors.Is(x.err, ErrPassword) {
			guesses++
		}
		x.core.Advance(x.core.Now.Add(time.Second))
		x.sessions.HandleTimeout()
	}
	if guesses < 10 || guesses > 80 {
		t.Errorf("%d guesses in an hour", guesses)
	}
}

// The other side falls silent after each number of datagrams.
func TestSilence(t *testing.T) {
	for n := 1; n <= 4; n++ {
		x := newStage(t)
		x.allow(password)
		x.silence = n
		x.offers = []Candidate{candidate(1, -90)}
		x.start(Options{Password: password})
		x.run(time.Hour)
		if x.joiner.State() == Entrusting {
			x.kek = [dtls.KEKSize]byte{}
			x.run(time.Hour)
		}
		if !x.over || !errors.Is(x.err, ErrNoAnswer) || x.joiner.State() != Idle || x.tuned {
			t.Errorf("after %d datagrams: %v, %v, %v", n, x.over, x.err, x.joiner.State())
		}
	}
}

func TestFoundKeepsTheBest(t *testing.T) {
	x := newStage(t)
	x.start(Options{Password: password})
	for i := range byte(10) {
		x.joiner.Found(candidate(i, -100+int(i)))
	}
	named := candidate(20, -120)
	named.SteeringData = make(meshcop.SteeringData, 16)
	named.SteeringData.Add(id)
	x.joiner.Found(named)
	if len(x.joiner.candidates) != maxCandidates {
		t.Errorf("%d candidates", len(x.joiner.candidates))
	}
	x.joiner.Discovered()
	if x.joiner.current.Ext != named.Ext {
		t.Errorf("%v is chosen", x.joiner.current.Ext)
	}
	x.joiner.Stop()
	x.joiner.Stop()
	if !errors.Is(x.err, ErrStopped) {
		t.Error(x.err)
	}
}

const frame = 200 * time.Millisecond

// Strangers have a share each, and all of them one; whom the commissioner talks to has its own.
func TestRouterBounds(t *testing.T) {
	c := newCore(1)
	r := NewRouter(c, frame)
	relayed := func(n int, from func(i int) ieee802154.ExtAddr) (ok int) {
		for i := range n {
			if r.Relay(from(i), []byte{1}) {
				ok++
			}
		}
		return ok
	}
	if got := relayed(100, func(int) ieee802154.ExtAddr { return ieee802154.ExtAddr{1} }); got != strangerBurst {
		t.Errorf("%d of one", got)
	}
	if got := relayed(1000, func(i int) ieee802154.ExtAddr { return ieee802154.ExtAddr{2, byte(i >> 8), byte(i)} }); got != strangersBurst-strangerBurst {
		t.Errorf("%d of a thousand", got)
	}
	if len(r.joiners) != maxJoiners {
		t.Errorf("%d are remembered", len(r.joiners))
	}
	m := meshcop.Relayed{Port: 1000, IID: IIDOf(ieee802154.ExtAddr{7}), Router: 1, Datagram: make([]byte, mostCookie+1)}
	payload, _ := m.AppendBinary(nil)
	if _, to, err := r.Transmit(payload); err != nil || to != (ieee802154.ExtAddr{7}) {
		t.Errorf("%v, %v", to, err)
	}
	if got := relayed(100, func(int) ieee802154.ExtAddr { return ieee802154.ExtAddr{7} }); got != guestBurst {
		t.Errorf("%d of a guest", got)
	}
	c.Advance(c.Now.Add(time.Hour))
	hour := relayed(3600, func(i int) ieee802154.ExtAddr {
		c.Advance(c.Now.Add(time.Second))
		return ieee802154.ExtAddr{3, byte(i >> 8), byte(i)}
	})
	if hour > strangersBurst+int(time.Hour/(strangersEvery*frame))+1 {
		t.Errorf("%d in an hour", hour)
	}
	// Who is let in has cost the others nothing.
	c.Advance(c.Now.Add(24 * time.Hour))
	for i := range byte(10 * strangersBurst) {
		joiner := ieee802154.ExtAddr{4, i}
		m := meshcop.Relayed{Port: 1000, IID: IIDOf(joiner), Router: 1, Datagram: make([]byte, mostCookie+1), HasKEK: true}
		payload, _ := m.AppendBinary(nil)
		for range 2 { // without a cookie, and with it
			if !r.Relay(joiner, []byte{1}) || r.Known(joiner) {
				t.Fatalf("joiner %d is not let pass", i)
			}
		}
		if _, _, err := r.Transmit(payload); err != nil || !r.Known(joiner) {
			t.Fatalf("joiner %d: %v", i, err)
		}
	}
	if r.Relay(ieee802154.ExtAddr{9}, nil) || r.Relay(ieee802154.ExtAddr{9}, make([]byte, maxDatagram+1)) || r.Refused == 0 {
		t.Error("nothing, or too much, is passed on")
	}
	if _, _, err := r.Transmit(payload[:9]); err == nil {
		t.Error("a message that is cut off")
	}
}

// Joiners are entrusted one after the other; the same order twice is one.
func TestEntrustInTurn(t *testing.T) {
	c := newCore(1)
	r := NewRouter(c, frame)
	order := func(n byte) {
		m := meshcop.Relayed{Port: 1000, IID: IIDOf(ieee802154.ExtAddr{n}), Router: 1, Datagram: []byte{1}, KEK: [16]byte{n}, HasKEK: true}
		payload, _ := m.AppendBinary(nil)
		if _, _, err := r.Transmit(payload); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := r.NextTimeout(); ok {
		t.Error("waits for nobody")
	}
	for n := range byte(8) {
		order(n)
		order(n)
	}
	for n := range byte(maxEntrusts) {
		e, ok := r.Next()
		if !ok || e.Joiner != (ieee802154.ExtAddr{n}) || e.KEK != [16]byte{n} {
			t.Fatalf("%d: %+v, %v", n, e, ok)
		}
		if _, ok := r.Next(); ok {
			t.Error("two at once")
		}
		if at, ok := r.NextTimeout(); !ok || at.Sub(c.Now) < minEntrust {
			t.Errorf("%v, %v", at, ok)
		}
		r.Entrusted()
		r.Entrusted()
	}
	if _, ok := r.Next(); ok {
		t.Error("one too many")
	}
	order(1)
	r.Stop()
	if _, ok := r.Next(); ok {
		t.Error("after Stop")
	}
}

func FuzzRouter(f *testing.F) {
	m := meshcop.Relayed{Port: 1000, IID: [8]byte{1}, Router: 1, Datagram: []byte{1}, HasKEK: true}
	payload, _ := m.AppendBinary(nil)
	f.Add(payload)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewRouter(newCore(1), frame)
		_, _, _ = r.Transmit(b)
		r.Next()
	})
}
