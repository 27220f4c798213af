package thread_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/dtls"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
)

const joinerPassword = "J01NME"

// entrance is a row of nodes of which the first is the leader and the commissioner, and joiners at its end that know a password alone.
type entrance struct {
	*meshtest.Mesh
	t       testing.TB
	joiners []*meshtest.Node
}

// stranger is a node that is in no network.
func stranger(c *thread.Config) {
	c.NetworkKey, c.PANID, c.NetworkName = [16]byte{1, 2, 3}, 0x1234, "none"
}

// newEntrance makes members nodes in a row, and joiners all of which are next to the last member.
func newEntrance(t testing.TB, opt lorasim.Options, members, joiners int, change func(*thread.Config)) *entrance {
	t.Helper()
	m := meshtest.Chain(t, opt, members, change)
	x := &entrance{Mesh: m, t: t}
	for i := range joiners {
		place := lorasim.Position{X: float64(members-1) + 1, Y: float64(i) / 100}
		x.joiners = append(x.joiners, m.Add(opt.Seed, place, func(c *thread.Config) {
			stranger(c)
			if change != nil {
				change(c)
			}
		}))
	}
	m.Nodes = m.Nodes[:members]
	m.StartOneByOne()
	c := x.commissioner()
	if err := c.StartCommissioner(m.Sim.Now()); err != nil {
		t.Fatal(err)
	}
	c.Antenna.Touch()
	m.Until(time.Minute, "commissioner", c.CommissionerActive)
	return x
}

func (x *entrance) commissioner() *meshtest.Node { return x.Nodes[0] }

func (x *entrance) allow(j thread.Joiner) {
	x.t.Helper()
	if err := x.commissioner().AllowJoiner(x.Sim.Now(), j); err != nil {
		x.t.Fatal(err)
	}
	x.commissioner().Antenna.Touch()
}

func (x *entrance) allowAny() {
	x.allow(thread.Joiner{Any: true, Password: joinerPassword, Timeout: 10 * time.Hour})
	x.Run(20 * time.Second) // all hear of it
}

// begin has a joiner begin, and returns what became of it, once it is over.
func (x *entrance) begin(n *meshtest.Node, o thread.JoinOptions) func() (over bool, err error) {
	x.t.Helper()
	n.Console().InterfaceUp(x.Sim.Now())
	over := false
	var result error
	if err := n.Join(x.Sim.Now(), o, func(err error) { over, result = true, err }); err != nil {
		x.t.Fatal(err)
	}
	n.Antenna.Touch()
	return func() (bool, error) { return over, result }
}

// join has a joiner join, and returns how long that took and the result.
func (x *entrance) join(n *meshtest.Node, o thread.JoinOptions, limit time.Duration) (time.Duration, error) {
	x.t.Helper()
	start := x.Sim.Now()
	result := x.begin(n, o)
	x.Until(limit, "the end of joining", func() bool { over, _ := result(); return over })
	_, err := result()
	return x.Sim.Now().Sub(start), err
}

// attach starts a node that has joined, and waits for its place in the mesh.
func (x *entrance) attach(n *meshtest.Node, limit time.Duration) {
	x.t.Helper()
	n.Start()
	x.Until(limit, "child", func() bool { return n.Role() >= thread.RoleChild })
	if a, b := n.Network(), x.commissioner().Network(); a != b {
		x.t.Errorf("in %+v, not %+v", a, b)
	}
}

func airtimeOf(nodes []*meshtest.Node) (sum time.Duration) {
	for _, n := range nodes {
		sum += n.Antenna.Stats().Airtime
	}
	return sum
}

// A node that knows a password is in the mesh within a minute, two hops from the commissioner at SF7; with one packet of ten lost, within three.
func TestJoinOverTwoHops(t *testing.T) {
	for _, tt := range []struct {
		loss  float64
		seeds uint64
		limit time.Duration
	}{{0, 3, time.Minute}, {0.1, 3, 3 * time.Minute}} {
		for seed := range tt.seeds {
			opt := lorasim.Options{Seed: seed, Loss: tt.loss}
			x := newEntrance(t, opt, 2, 1, nil)
			j := x.joiners[0]
			x.allowAny()
			all := append(x.Nodes[:2:2], j)
			start, before := x.Sim.Now(), airtimeOf(all)
			d, err := x.join(j, thread.JoinOptions{Password: joinerPassword, Discoveries: 5}, tt.limit)
			if err != nil {
				t.Errorf("loss %v, seed %d: %v after %v", tt.loss, seed, err, d)
				continue
			}
			joined := airtimeOf(all) - before
			x.attach(j, tt.limit)
			took := x.Sim.Now().Sub(start)
			t.Logf("loss %v, seed %d: the key after %v, attached after %v, %v of air, of it %v to join", tt.loss, seed, d, took, airtimeOf(all)-before, joined)
			if took > tt.limit {
				t.Errorf("loss %v, seed %d: attached after %v", tt.loss, seed, took)
			}
		}
	}
}

// Ten joiners come one after the other.
func TestTenJoiners(t *testing.T) {
	x := newEntrance(t, lorasim.Options{Seed: 1}, 2, 10, nil)
	x.allowAny()
	before := airtimeOf(append(x.Nodes[:2:2], x.joiners...))
	var took, keys []time.Duration
	for i, j := range x.joiners {
		start := x.Sim.Now()
		d, err := x.join(j, thread.JoinOptions{Password: joinerPassword, Discoveries: 3}, 5*time.Minute)
		keys = append(keys, d.Round(time.Second))
		if err != nil {
			t.Fatalf("joiner %d: %v after %v\n%+v", i, err, d, x.Nodes[1].Counters())
		}
		x.attach(j, 2*time.Minute)
		took = append(took, x.Sim.Now().Sub(start).Round(time.Second))
	}
	t.Logf("ten joiners: the key after %v, attached after %v, %v of air", keys, took, airtimeOf(append(x.Nodes[:2:2], x.joiners...))-before)
}

// Two joiners begin at once; the commissioner talks to both, and the answers to one do not wait for copies of the other's.
func TestTwoJoinersAtOnce(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { testTwoJoiners(t, seed) })
	}
}

func testTwoJoiners(t *testing.T, seed uint64) {
	x := newEntrance(t, lorasim.Options{Seed: seed}, 2, 2, nil)
	x.allow(thread.Joiner{EUI64: x.joiners[0].ExtAddr(), Password: joinerPassword, Timeout: time.Hour})
	x.allow(thread.Joiner{EUI64: x.joiners[1].ExtAddr(), Password: "J02NME", Timeout: time.Hour})
	x.Run(20 * time.Second)
	first := x.begin(x.joiners[0], thread.JoinOptions{Password: joinerPassword, Discoveries: 3})
	second := x.begin(x.joiners[1], thread.JoinOptions{Password: "J02NME", Discoveries: 3})
	x.Until(2*time.Minute, "both to be done", func() bool {
		a, _ := first()
		b, _ := second()
		return a && b
	})
	_, errFirst := first()
	_, errSecond := second()
	if err := errors.Join(errFirst, errSecond); err != nil {
		t.Fatal(err)
	}
	accepted := 0
	for ev, ok := x.commissioner().PollEvent(); ok; ev, ok = x.commissioner().PollEvent() {
		if ev.Type == thread.EventJoiner && ev.Joiner.Step == thread.JoinerAccepted {
			accepted++
		}
	}
	if accepted != 2 {
		t.Errorf("%d joiners accepted", accepted)
	}
}

// Of a failed try nothing is kept, and its error says which step has failed.
func TestJoinFails(t *testing.T) {
	for _, tt := range []struct {
		name, password string
		prepare        func(x *entrance)
		want           error
	}{
		{"nobody commissions", joinerPassword, func(x *entrance) {}, thread.ErrNoNetwork},
		{"somebody else is meant", joinerPassword, func(x *entrance) {
			x.allow(thread.Joiner{EUI64: [8]byte{9}, Password: joinerPassword, Timeout: time.Hour})
		}, thread.ErrNoNetwork},
		{"wrong password", "J01NMF", func(x *entrance) { x.allowAny() }, thread.ErrPassword},
		{"the commissioner is gone", joinerPassword, func(x *entrance) {
			x.allowAny()
			x.Run(20 * time.Second)
			x.Nodes[0].PowerOff()
		}, thread.ErrNoAnswer},
	} {
		x := newEntrance(t, lorasim.Options{Seed: 1}, 2, 1, nil)
		tt.prepare(x)
		x.Run(20 * time.Second)
		j := x.joiners[0]
		network, ext := j.Network(), j.ExtAddr()
		d, err := x.join(j, thread.JoinOptions{Password: tt.password}, 15*time.Minute)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if j.Network() != network || j.ExtAddr() != ext || j.JoinState() != thread.JoinIdle || j.Role() != thread.RoleDisabled {
			t.Errorf("%s: %+v, %v", tt.name, j.Network(), j.ExtAddr())
		}
		t.Logf("%s: %v after %v", tt.name, err, d)
		if err := j.Engine.Start(x.Sim.Now()); err != nil { // its own network
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// The commissioner is lost while it compares passwords, or right after: the joiner says so, and comes in once there is another one.
func TestCommissionerLost(t *testing.T) {
	for _, after := range []time.Duration{14 * time.Second, 20 * time.Second, 24 * time.Second} {
		x := newEntrance(t, lorasim.Options{Seed: 1}, 2, 1, nil)
		x.allowAny()
		j := x.joiners[0]
		network := j.Network()
		result := x.begin(j, thread.JoinOptions{Password: joinerPassword})
		x.Run(after)
		x.Nodes[0].PowerOff()
		x.Until(10*time.Minute, "the end of joining", func() bool { over, _ := result(); return over })
		if _, err := result(); !errors.Is(err, thread.ErrNoAnswer) || j.Network() != network {
			t.Errorf("lost after %v: %v", after, err)
		}
		other := x.Nodes[1]
		x.Until(15*time.Minute, "another leader", func() bool { return other.Role() == thread.RoleLeader })
		if err := other.StartCommissioner(x.Sim.Now()); err != nil {
			t.Fatal(err)
		}
		other.Antenna.Touch()
		x.Until(time.Minute, "another commissioner", other.CommissionerActive)
		if err := other.AllowJoiner(x.Sim.Now(), thread.Joiner{Any: true, Password: joinerPassword, Timeout: time.Hour}); err != nil {
			t.Fatal(err)
		}
		other.Antenna.Touch()
		x.Run(time.Minute)
		if d, err := x.join(j, thread.JoinOptions{Password: joinerPassword, Discoveries: 5}, 5*time.Minute); err != nil {
			t.Errorf("lost after %v: %v after %v", after, err, d)
		}
	}
}

// A joiner router listens where the commissioner says, or where its own owner says, and joiners hear of it.
func TestJoinerPort(t *testing.T) {
	x := newEntrance(t, lorasim.Options{Seed: 1}, 2, 1, nil)
	x.allowAny()
	router, j := x.Nodes[1], x.joiners[0]
	if port := router.JoinerPort(); port != 1000 {
		t.Errorf("port %d", port)
	}
	router.SetJoinerPort(0)
	x.commissioner().SetJoinerPort(0)
	if _, err := x.join(j, thread.JoinOptions{Password: joinerPassword}, 5*time.Minute); err == nil {
		t.Error("joined through a closed port")
	}
	x.Run(2 * time.Minute)
	router.SetJoinerPort(1234)
	if d, err := x.join(j, thread.JoinOptions{Password: joinerPassword, Discoveries: 5}, 5*time.Minute); err != nil || router.JoinerPort() != 1234 {
		t.Errorf("%v after %v, port %d", err, d, router.JoinerPort())
	}
}

// Stopping ends joining at once, and what is not possible is refused.
func TestStopJoining(t *testing.T) {
	x := newEntrance(t, lorasim.Options{Seed: 1}, 2, 1, nil)
	x.allowAny()
	j := x.joiners[0]
	now := x.Sim.Now()
	if err := j.Join(now, thread.JoinOptions{Password: joinerPassword}, nil); !errors.Is(err, thread.ErrState) {
		t.Errorf("the interface is down: %v", err)
	}
	j.Console().InterfaceUp(now)
	for _, password := range []string{"", "012345678901234567890123456789012"} {
		if err := j.Join(now, thread.JoinOptions{Password: password}, nil); !errors.Is(err, thread.ErrArgument) {
			t.Errorf("%q: %v", password, err)
		}
	}
	if err := x.commissioner().Join(now, thread.JoinOptions{Password: joinerPassword}, nil); !errors.Is(err, thread.ErrState) {
		t.Errorf("a member: %v", err)
	}
	for wait := time.Second; wait < 30*time.Second; wait += 3 * time.Second {
		ext := j.ExtAddr()
		result := x.begin(j, thread.JoinOptions{Password: joinerPassword, Discoveries: 5})
		if err := j.Join(x.Sim.Now(), thread.JoinOptions{Password: joinerPassword}, nil); !errors.Is(err, thread.ErrState) {
			t.Errorf("twice: %v", err)
		}
		x.Run(wait)
		j.StopJoining(x.Sim.Now())
		j.Antenna.Touch()
		if over, err := result(); !over || wait < 20*time.Second && !errors.Is(err, thread.ErrJoinStopped) || j.ExtAddr() != ext {
			t.Errorf("after %v: %v, %v", wait, over, err)
		}
		x.Run(3 * time.Minute)
	}
}

// Somebody without any key sends hellos all the time, under ever new addresses, or under one: what the mesh spends on them is bounded, and once it is
// quiet a joiner joins.
func TestFloodOfHellos(t *testing.T) {
	for _, addresses := range []int{1, 1000} {
		x := newEntrance(t, lorasim.Options{Seed: 1}, 2, 1, nil)
		x.allowAny()
		intruder := x.AddIntruder(lorasim.Position{X: 2})
		frames := helloFrames(t, x.Nodes[1], addresses)
		x.Run(10 * time.Minute)
		spent := func() time.Duration { return airtimeOf(x.Nodes) }
		quiet := spent()
		x.Run(time.Hour)
		quiet = spent() - quiet
		relayed, loud := x.Nodes[1].Counters().JoinersRelayed, spent()
		next := 0
		intruder.Every(time.Second, func() {
			intruder.Transmit(frames[next%len(frames)])
			next++
		})
		x.Run(time.Hour)
		intruder.Rest()
		loud = spent() - loud
		c := x.Nodes[1].Counters()
		t.Logf("%d addresses: %v of air in an hour in place of %v; %d hellos passed on, %d not", addresses, loud, quiet, c.JoinersRelayed-relayed, c.JoinersRefused)
		if more := loud - quiet; c.JoinersRelayed-relayed > 80 || more > 4*time.Minute {
			t.Errorf("%d addresses: %d hellos, %v of air more", addresses, c.JoinersRelayed-relayed, more)
		}
		x.Run(10 * time.Minute)
		if d, err := x.join(x.joiners[0], thread.JoinOptions{Password: joinerPassword, Discoveries: 5}, 5*time.Minute); err != nil {
			t.Errorf("%d addresses: %v after %v", addresses, err, d)
		}
	}
}

// helloFrames are the frames of ClientHellos from some addresses to a joiner router.
func helloFrames(t *testing.T, to *meshtest.Node, addresses int) (frames [][]byte) {
	conn, err := dtls.Dial(time.Time{}, dtls.Config{Password: []byte(joinerPassword), Rand: meshtest.Rand(1, 1)})
	if err != nil {
		t.Fatal(err)
	}
	hello, _ := conn.PollTransmit()
	for i := range addresses {
		src, dst := ieee802154.ExtAddr{2, 1, byte(i >> 8), byte(i)}, to.ExtAddr()
		datagram, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: meshtest.LinkLocal(src), Dst: meshtest.LinkLocal(dst)}, 1000, 1000, hello)
		if err != nil {
			t.Fatal(err)
		}
		for offset := 0; offset < len(datagram); {
			f := ieee802154.Frame{
				Type: ieee802154.Data, Version: ieee802154.Version2006, AckRequest: true, PANIDCompression: true, Seq: byte(len(frames)),
				DstPAN: to.Network().PANID, SrcPAN: to.Network().PANID, Src: ieee802154.ExtAddress(src), Dst: ieee802154.ExtAddress(dst),
			}
			p := lowpan.Packet{Datagram: datagram, Tag: uint16(i), Src: f.Src, Dst: f.Dst}
			if f.Payload, offset, err = p.AppendFrame(nil, offset, ieee802154.MaxPSDU-f.Overhead(), new(lowpan.Contexts)); err != nil {
				t.Fatal(err)
			}
			psdu, err := f.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			frames = append(frames, psdu)
		}
	}
	return frames
}
