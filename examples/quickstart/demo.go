package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
)

// The place: a valley that bends at every node. On the straight way to the next node the signal is as in free space; the rock at
// each bend takes away more than any spreading factor gives.
const (
	spacing  = 1000 // meters between neighbors
	bendLoss = 70   // dB
)

var freeSpace = lorasim.LogDistance(lorasim.DefaultLoss1m, 2)

func valley(power float64, from, to lorasim.Position) float64 {
	bends := math.Abs(from.X-to.X)/spacing - 1
	return freeSpace(power, from, to) - bendLoss*max(bends, 0)
}

// Limits, by the air's time at SF7, and how fast that passes. Much faster, and the computer's own delays look like lost
// acknowledgments.
const (
	formTime     = 20 * time.Minute
	answerTime   = 30 * time.Second
	pings, tries = 3, 5

	speed = 25
)

// key is the network key. All nodes of a mesh have the same; a real one is secret.
var key = pymesh.MustParseKey("112233")

// port is where the nodes listen.
const port = 1234

// demo is one run of the program.
type demo struct {
	nodes      int
	cfg        lora.Config
	timing     thread.Timing // that the nodes will have
	speed      float64
	formTime   time.Duration
	answerTime time.Duration
	seed       uint64
	file       string
	out        *printer

	air     *lorasim.Air
	begin   time.Time // by the air's clock
	members []*member
	events  chan memberEvent
	linked  map[link]bool // links that one of the two knows of
}

// member is a node of the mesh.
type member struct {
	name     string
	radio    *lorasim.Radio
	node     *pymesh.Node
	attached bool // its event says so
}

// link is a link between two members, the earlier first.
type link struct{ a, b *member }

func linkOf(a, b *member) link {
	if b.name < a.name {
		a, b = b, a
	}
	return link{a, b}
}

type memberEvent struct {
	of *member
	pymesh.Event
}

// newDemo returns a demo whose limits and speed suit the spreading factor.
func newDemo(nodes int, sf lora.SpreadingFactor) *demo {
	cfg := lora.Config{SpreadingFactor: sf}
	timing := thread.TimingFor(cfg.Airtime)
	stretch := timing.AckWait.Seconds() / thread.TimingPymesh().AckWait.Seconds()
	return &demo{
		nodes: nodes, cfg: cfg, timing: timing, speed: math.Round(speed * stretch),
		formTime:   time.Duration(stretch * float64(formTime)).Round(time.Minute),
		answerTime: time.Duration(stretch * float64(answerTime)).Round(time.Second),
	}
}

func (d *demo) run(ctx context.Context) (err error) {
	options := lorasim.Options{Seed: d.seed, Speed: d.speed, Propagation: valley}
	if d.file != "" {
		f, err := os.Create(d.file)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, d.air.CaptureErr(), f.Close()) }()
		options.Capture = f
	}
	d.air = lorasim.NewAir(options)
	d.begin = d.air.Clock().Now()
	d.out.clock = d.now
	d.events, d.linked = make(chan memberEvent), map[link]bool{}
	for i := range d.nodes {
		d.members = append(d.members, &member{
			name:  string(rune('A' + i)),
			radio: d.air.Radio(d.cfg, lorasim.Position{X: float64(i) * spacing}),
		})
	}
	d.introduce()

	defer d.close()
	stop := d.out.keepAlive(ctx)
	defer stop()
	for _, step := range []func(context.Context) error{d.form, d.showTables, d.pingEnds, d.talk} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	d.sumUp()
	return nil
}

func (d *demo) close() {
	for _, m := range d.members {
		if m.node != nil {
			m.node.Close()
		}
	}
}

// now returns the time since the beginning, by the air's clock.
func (d *demo) now() time.Duration { return d.air.Clock().Now().Sub(d.begin) }

// within returns a context that ends after a time of the air's.
func (d *demo) within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	clock := d.air.Clock()
	return context.WithTimeout(ctx, clock.Until(clock.Now().Add(limit)))
}

// start switches a node on.
func (d *demo) start(ctx context.Context, i int) error {
	m := d.members[i]
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], d.seed)
	seed[8] = byte(i)
	var err error
	m.node, err = pymesh.New(m.radio,
		pymesh.WithKey(key),
		pymesh.WithMAC(0x70b3d54990000001+pymesh.MAC(i)),
		// On real hardware this is a file: the frame counters must survive a restart.
		pymesh.WithStore(new(pymesh.MemoryStore)),
		// Only simulations want jitter and identifiers that repeat.
		pymesh.WithRand(rand.NewChaCha8(seed)))
	if err != nil {
		return err
	}
	events := m.node.Events(ctx)
	go func() {
		for e := range events {
			select {
			case d.events <- memberEvent{m, e}:
			case <-ctx.Done():
			}
		}
	}()
	return nil
}

// form switches the nodes on, each when the one before has found its place, and waits until all are routers.
func (d *demo) form(ctx context.Context) error {
	d.out.title("The mesh forms")
	limit, cancel := d.within(ctx, d.formTime)
	defer cancel()
	started := 0
	for !d.formed() {
		if started < d.nodes && (started == 0 || d.members[started-1].attached) {
			m := d.members[started]
			d.out.event(d.now(), m.name, "is switched on")
			d.out.waitFor(m.name + " looks for a mesh")
			if err := d.start(limit, started); err != nil {
				return err
			}
			started++
		}
		switch last := d.members[started-1]; {
		case !last.attached:
		case last.node.State() == pymesh.StateChild:
			d.out.waitFor(fmt.Sprintf("a child becomes a router within %.0f minutes", d.timing.RouterSelectionJitter.Minutes()))
		default:
			d.out.waitFor("the routers tell each other the ways that they know")
		}
		select {
		case e := <-d.events:
			d.showEvent(e)
		case <-time.After(time.Duration(float64(time.Second) / d.speed)): // routes come without an event
		case <-limit.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("no mesh of %d routers within %v", d.nodes, d.formTime)
		}
	}
	d.out.event(d.now(), "all", "are routers and know the ways to each other")
	return nil
}

// formed reports whether all nodes are routers, and each knows the way to each other.
func (d *demo) formed() bool {
	for _, m := range d.members {
		if m.node == nil || m.node.State() < pymesh.StateRouter {
			return false
		}
	}
	for _, m := range d.members {
		for _, other := range d.members {
			if d.path(m, other) == nil {
				return false
			}
		}
	}
	return true
}

// path returns the nodes on the way, the ends included, or nil if a node on it does not know how to go on.
func (d *demo) path(from, to *member) []*member {
	way := []*member{from}
	for at := from; at != to; {
		at = d.byRLOC16(nextHop(at.node, to.node.RLOC16()))
		if at == nil || slices.Contains(way, at) {
			return nil
		}
		way = append(way, at)
	}
	return way
}

// nextHop looks up in the table of a node where it sends what is for a router.
func nextHop(n *pymesh.Node, to pymesh.RLOC16) pymesh.RLOC16 {
	for _, r := range n.Routers() {
		if r.RLOC16 == to {
			return r.NextHop
		}
	}
	return 0
}

func (d *demo) byRLOC16(rloc pymesh.RLOC16) *member {
	return d.find(func(m *member) bool { return m.node.RLOC16() == rloc })
}

func (d *demo) byMAC(mac pymesh.MAC) *member {
	return d.find(func(m *member) bool { return m.node.MAC() == mac })
}

func (d *demo) find(is func(*member) bool) *member {
	for _, m := range d.members {
		if m.node != nil && is(m) {
			return m
		}
	}
	return nil
}

// pingEnds pings the last node from the first, and the other way round.
func (d *demo) pingEnds(ctx context.Context) error {
	first, last := d.members[0], d.members[d.nodes-1]
	for _, way := range [][2]*member{{first, last}, {last, first}} {
		from, to := way[0], way[1]
		d.out.title(fmt.Sprintf("%s pings %s: %s", from.name, to.name, d.wayText(from, to)))
		if from == first {
			d.out.linef("The first answer takes longer: %s has to ask the mesh where the address is.", from.name)
		}
		answers := 0
		for i := 1; answers < pings && i <= pings+tries; i++ {
			d.out.waitFor("no answer yet")
			limit, cancel := d.within(ctx, d.answerTime)
			p, err := from.node.Ping(limit, to.node.MeshLocalEID(), 8)
			cancel()
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				d.out.linef("no answer to the %s request within %v: packets get lost on the air", ordinal(i), d.answerTime)
				continue
			}
			answers++
			d.out.linef("%d bytes from %v: icmp_seq=%d hlim=%d time=%d ms", p.Size, p.From, i, p.HopLimit, p.RTT.Milliseconds())
		}
		if answers == 0 {
			return fmt.Errorf("%s does not answer %s's pings", to.name, from.name)
		}
	}
	return nil
}

// talk sends a datagram from the first node to the last, which answers.
func (d *demo) talk(ctx context.Context) error {
	first, last := d.members[0], d.members[d.nodes-1]
	d.out.title(fmt.Sprintf("%s and %s talk by UDP", first.name, last.name))

	server, err := last.node.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), port))
	if err != nil {
		return err
	}
	defer server.Close()
	last.node.OnReceive(func(conn *pymesh.UDPConn) {
		buf := make([]byte, pymesh.MaxDatagramSize)
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		d.out.datagram(d.now(), last.name, "receives", buf[:n], "from", from)
		answer := fmt.Appendf(nil, "Hello %s, this is %s!", first.name, last.name)
		if _, err := conn.WriteToUDPAddrPort(answer, from); err == nil {
			d.out.datagram(d.now(), last.name, "answers", answer, "to", from)
		}
	})
	defer last.node.OnReceive(nil)

	peer := netip.AddrPortFrom(last.node.MeshLocalEID(), port)
	client, err := first.node.DialUDP(netip.AddrPort{}, peer)
	if err != nil {
		return err
	}
	defer client.Close()
	defer context.AfterFunc(ctx, func() { client.Close() })() // Ctrl-C ends a read
	hello := []byte("Hello World!")
	buf := make([]byte, pymesh.MaxDatagramSize)
	for range tries {
		start := d.now()
		d.out.datagram(start, first.name, "sends", hello, "to", peer)
		d.out.waitFor("no answer yet")
		if _, err := client.Write(hello); err != nil {
			return err
		}
		clock := d.air.Clock()
		client.SetReadDeadline(time.Now().Add(clock.Until(clock.Now().Add(d.answerTime))))
		n, from, err := client.ReadFromUDPAddrPort(buf)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			d.out.event(d.now(), first.name, fmt.Sprintf("has no answer after %v: packets get lost on the air", d.answerTime))
			continue
		case err != nil:
			return err
		}
		end := d.now()
		d.out.datagram(end, first.name, "receives", buf[:n], "from", from)
		d.out.linef("There and back: %d ms.", (end - start).Milliseconds())
		return nil
	}
	return fmt.Errorf("%s does not answer %s's datagrams", last.name, first.name)
}
