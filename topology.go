package pymesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
	"github.com/gopymesh/pymesh/thread/topology"
)

// TopologyOptions say how Topology walks the mesh. The zero value is for any radio.
type TopologyOptions struct {
	// Children has children asked as well, for their MACs and addresses; their parents tell who and how many they are. Sleepy ones are
	// never asked.
	Children bool
	// Pause is the time between an answer and the next question, in which the air is others': ten times the airtime of the longest frame if
	// 0, so that the walk takes a tenth of the air or less. Negative for none.
	Pause time.Duration
	// Patience is how long an answer is waited for: 120 times the airtime of the longest frame if 0, in which a question is repeated once
	// or twice.
	Patience time.Duration
	// Previous is an earlier result: nodes that do not answer now keep what it knew of them, and their age, for an hour.
	Previous *topology.Topology
	// Progress, if set, is told before each question how many nodes were asked, how many are known to be left, and who is next.
	Progress func(asked, left int, next uint16)
}

// Topology walks the mesh and returns its routers, children and links, with the quality of both directions. It asks one node at a time, by
// Network Diagnostics, which Pycom's boards answer as well: first this node, then all routers that they tell of. A node that does not
// answer stays in the result, with the time since it was heard of.
//
// At SF7 a question and its answer take about a second for each hop. When ctx ends, the result so far is returned with its error.
func (n *Node) Topology(ctx context.Context, o TopologyOptions) (topology.Topology, error) {
	w := topology.New(topology.Options{Children: o.Children, Previous: o.Previous})
	if err := n.seed(w); err != nil {
		return topology.Topology{}, err
	}
	asked := 1
	for {
		rloc, ok := w.Next()
		if !ok {
			break
		}
		if err := n.sleep(ctx, cmp.Or(o.Pause, 10*n.frame)); err != nil {
			return w.Result(n.clock.Now()), err
		}
		if o.Progress != nil {
			o.Progress(asked, w.Left()+1, uint16(rloc))
		}
		asked++
		d, _, err := n.ask(ctx, n.rlocAddr(rloc), o.Patience, topology.Types())
		switch {
		case err == nil:
			w.Answer(n.clock.Now(), rloc, d)
		case ctx.Err() != nil || errors.Is(err, ErrClosed):
			return w.Result(n.clock.Now()), err
		}
	}
	return w.Result(n.clock.Now()), nil
}

// seed tells a walker what this node knows without asking. It fails if the node is part of no mesh.
func (n *Node) seed(w *topology.Walker) error {
	err := ErrClosed
	n.run.Do(func(now time.Time) {
		e := n.engine
		if err = nil; e.Role() < thread.RoleChild {
			err = fmt.Errorf("pymesh: Topology: %w", asErrno(thread.ErrDetached))
			return
		}
		own := e.RLOC16()
		w.Seed(own, now)
		w.Next() // it is not asked over the air
		w.Answer(now, own, e.OwnDiagnostics(topology.Types()...))
		for _, i := range e.Neighbors() {
			w.Measured(own, i.RLOC16, int(i.RSSI), int(i.LinkQualityIn))
			if i.Role == thread.RoleRouter {
				w.Seed(i.RLOC16, now.Add(-i.Age))
			}
		}
		for _, i := range e.Routers() {
			if i.RLOC16 != own && i.Age > 0 {
				w.Seed(i.RLOC16, now.Add(-i.Age))
			}
		}
	})
	return err
}

func (n *Node) rlocAddr(rloc mle.RLOC16) netip.Addr {
	return rloc.Addr(get(n, func(e *thread.Engine) netip.Prefix { return e.Network().MeshLocalPrefix }))
}

// sleep waits by the radio's clock.
func (n *Node) sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(n.clock.Until(n.clock.Now().Add(d)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	case <-n.run.Done():
		return ErrClosed
	}
}

// ask asks a node for diagnostics, and returns the answer and the time that it took.
func (n *Node) ask(ctx context.Context, to netip.Addr, patience time.Duration, types []tmf.DiagnosticType) (tmf.Diagnostics, time.Duration, error) {
	type answer struct {
		thread.Diagnostic
		at time.Time
	}
	answers := make(chan answer, 1)
	var id uint32
	var start time.Time
	var err error
	if !n.run.Do(func(now time.Time) {
		start = now
		id, err = n.engine.GetDiagnostics(now, to, types, func(d thread.Diagnostic) {
			select {
			case answers <- answer{d, n.clock.Now()}:
			default: // only one is asked
			}
		})
	}) {
		return nil, 0, ErrClosed
	}
	if err != nil {
		return nil, 0, err
	}
	wait := cmp.Or(patience, 120*n.frame)
	timer := time.NewTimer(n.clock.Until(n.clock.Now().Add(wait)))
	defer timer.Stop()
	select {
	case a := <-answers:
		return a.TLVs, a.at.Sub(start), a.Err
	case <-timer.C:
		err = fmt.Errorf("pymesh: no answer from %v within %v", to, wait)
	case <-ctx.Done():
		err = ctx.Err()
	case <-n.run.Done():
		return nil, 0, ErrClosed
	}
	n.run.Do(func(time.Time) { n.engine.CancelDiagnostics(id) })
	return nil, 0, err
}

// Trace returns the way of a datagram to a node of the mesh, by its mesh-local EID or RLOC: the routers on it, and the node, each with the
// link over which it is reached. A router does not tell its next hop; it follows from what it and its neighbors tell of their routes, one asked
// after the other, with the pause of Topology in between. Strengths are known of this node's own links alone.
//
// Where the way cannot be told any further, the hops so far are returned with an error.
func (n *Node) Trace(ctx context.Context, dst netip.Addr) ([]topology.Hop, error) {
	if !dst.Is6() || dst.IsMulticast() {
		return nil, fmt.Errorf("pymesh: Trace: %v is no unicast IPv6 address", dst)
	}
	d, rtt, err := n.ask(ctx, dst, 0, []tmf.DiagnosticType{tmf.DiagnosticExtendedMACAddress, tmf.DiagnosticAddress16})
	if err != nil {
		return nil, fmt.Errorf("pymesh: Trace: %w", err)
	}
	to, err := d.Address16()
	if err != nil {
		return nil, fmt.Errorf("pymesh: Trace: %w", err)
	}
	ext, _ := d.ExtendedMACAddress()
	t := tracing{node: n, ctx: ctx, rtts: map[mle.RouterID]time.Duration{}, macs: map[mle.RouterID]ieee802154.ExtAddr{}}
	hops, err := t.run(to)
	if err != nil {
		return hops, fmt.Errorf("pymesh: Trace: %w", err)
	}
	if len(hops) > 0 {
		hops[len(hops)-1].MAC, hops[len(hops)-1].RTT = ext, rtt
	}
	return hops, nil
}

// tracing is a Trace under way.
type tracing struct {
	node   *Node
	ctx    context.Context
	tracer *topology.Tracer
	rtts   map[mle.RouterID]time.Duration
	macs   map[mle.RouterID]ieee802154.ExtAddr
	own    mle.RLOC16
	near   []thread.NeighborInfo
}

func (t *tracing) run(to mle.RLOC16) ([]topology.Hop, error) {
	t.node.run.Do(func(time.Time) {
		t.own, t.near = t.node.engine.RLOC16(), t.node.engine.Neighbors()
		t.tracer = topology.NewTracer(t.own.RouterID(), to.RouterID())
		if t.own.IsRouter() {
			t.answer(t.own.RouterID(), t.node.engine.OwnDiagnostics(traceTypes...))
		}
	})
	if t.tracer == nil {
		return nil, ErrClosed
	}
	if to == t.own {
		return nil, nil
	}
	for {
		ask, done, err := t.tracer.Step()
		if done || err != nil {
			return t.hops(to, done), err
		}
		if err := t.node.sleep(t.ctx, 10*t.node.frame); err != nil {
			return t.hops(to, false), err
		}
		d, rtt, err := t.node.ask(t.ctx, t.node.rlocAddr(ask.RLOC16()), 0, traceTypes)
		switch {
		case t.ctx.Err() != nil || errors.Is(err, ErrClosed):
			return t.hops(to, false), err
		case err != nil || !t.answer(ask, d):
			t.tracer.Silent(ask)
		default:
			t.rtts[ask] = rtt
		}
	}
}

var traceTypes = []tmf.DiagnosticType{tmf.DiagnosticExtendedMACAddress, tmf.DiagnosticRoute64}

// answer takes the answer of a router. It reports whether that has told its routes.
func (t *tracing) answer(id mle.RouterID, d tmf.Diagnostics) bool {
	if ext, err := d.ExtendedMACAddress(); err == nil {
		t.macs[id] = ext
	}
	route, err := d.Route64()
	if err == nil {
		t.tracer.Answer(id, route)
	}
	return err == nil
}

// hops are those found so far: this node's parent, the routers, and a child at the end.
func (t *tracing) hops(to mle.RLOC16, done bool) (hops []topology.Hop) {
	unknown := topology.Direction{Quality: topology.Unknown, RSSI: topology.RSSIUnknown}
	at := t.own
	if t.own.IsChild() {
		hops = append(hops, topology.Hop{RLOC16: at.RouterID().RLOC16(), Forth: unknown, Back: unknown})
		at = at.RouterID().RLOC16()
	}
	for _, id := range t.tracer.Way() {
		h := topology.Hop{RLOC16: id.RLOC16()}
		h.Forth, h.Back = t.tracer.Link(at.RouterID(), id)
		hops, at = append(hops, h), h.RLOC16
	}
	if done && to != at {
		hops = append(hops, topology.Hop{RLOC16: to, Forth: unknown, Back: unknown})
	}
	before := t.own
	for i := range hops {
		h := &hops[i]
		if h.RLOC16.IsRouter() {
			h.MAC, h.RTT = t.macs[h.RLOC16.RouterID()], t.rtts[h.RLOC16.RouterID()]
		}
		for _, n := range t.near { // what this node has measured itself
			if n.RLOC16 == h.RLOC16 && before == t.own {
				h.MAC, h.Back = n.ExtAddr, topology.Direction{Quality: int(n.LinkQualityIn), RSSI: int(n.RSSI)}
			}
		}
		before = h.RLOC16
	}
	return hops
}
