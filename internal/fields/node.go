package fields

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/internal/runner"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// A node is a device of a net: an engine, or a program.
type node struct {
	device
	*lorasim.Node

	net   *net
	index int
	standing
}

// A device is what is behind an antenna.
type device interface {
	// start switches it on.
	start(now time.Time) error
	// eid returns its ML-EID; none while it has none.
	eid() netip.Addr
	// ask sends an echo request with a number to an address. Net.answered is told of the answer.
	ask(now time.Time, to netip.Addr, number uint16, size int) error
	// refused returns how many packets the duty cycle has kept from the air.
	refused() uint64
}

// add puts node i on the air, which does nothing yet.
func (n *net) add(i int, pos lorasim.Position) error {
	x := &node{net: n, index: i}
	n.nodes = append(n.nodes, x)
	if path := n.trial.program(i); path != "" {
		x.Node = n.Sim.Add(nil, pos)
		x.SetManners(lorasim.BoardManners())
		x.device = &guest{node: x, path: path}
		return nil
	}
	seed := n.trial.Seed
	cfg := thread.Config{NetworkKey: meshtest.NetworkKey, ExtAddr: meshtest.ExtAddr(i + 1), Rand: meshtest.Rand(seed, i+1), Store: new(thread.MemoryStore)}
	cfg.Timing = thread.TimingFor(n.config.Airtime)
	if n.trial.mixed() {
		cfg.Timing = thread.TimingForBoards(n.config.Airtime)
	}
	cfg.Timing.SetSensitivity(n.config.Sensitivity())
	if n.trial.Change != nil {
		n.trial.Change(i, &cfg)
	}
	e, err := thread.New(cfg)
	if err != nil {
		return err
	}
	own := &engine{Engine: e, node: x}
	if n.trial.DutyCycle {
		own.budget = lora.NewBudget(n.config, -1)
	}
	x.device = own
	x.Node = n.Sim.Add(station{own}, pos)
	return nil
}

// engine is a node of this project.
type engine struct {
	*thread.Engine
	node    *node
	budget  *lora.Budget // nil without a duty cycle
	booked  []byte       // what is on its way to the air
	blocked uint64
	told    time.Time // when it last heard what it may still send
	rloc    mle.RLOC16
}

func (e *engine) start(now time.Time) error {
	if err := e.Engine.Start(now); err != nil {
		return err
	}
	e.after()
	return nil
}

func (e *engine) eid() netip.Addr { return e.MeshLocalEID() }

func (e *engine) refused() uint64 { return e.blocked }

func (e *engine) ask(now time.Time, to netip.Addr, number uint16, size int) error {
	h := ip6.Header{HopLimit: 64, Src: e.SelectSource(to), Dst: to}
	packet, err := ip6.AppendEcho(nil, h, ip6.ICMPv6EchoRequest, ip6.Echo{Identifier: identifier, Sequence: number, Data: make([]byte, size)})
	if err != nil {
		return err
	}
	_ = e.HandlePacket(now, packet) // a node that cannot send gets no answer
	return nil
}

// after looks at what an input has done.
func (e *engine) after() {
	now := standing{role: e.Role()}
	if l, ok := e.Leader(); ok {
		now.attached, now.partition = true, l.PartitionID
	}
	if rloc := e.RLOC16(); rloc != e.rloc {
		e.rloc = rloc
		e.node.net.places[rloc] = e.node.index
	}
	e.node.net.note(e.node, now)
	for {
		d, ok := e.PollPacket()
		if !ok {
			return
		}
		if number, ok := replyIn(&d); ok {
			e.node.net.answered(e.node.index, number)
		}
	}
}

// replyIn returns the number of the echo request to which a datagram is the reply.
func replyIn(d *ip6.Datagram) (number uint16, ok bool) {
	if d.Protocol != ip6.ProtocolICMPv6 {
		return 0, false
	}
	m, err := ip6.ParseICMPv6(d.Payload)
	if err != nil || m.Type != ip6.ICMPv6EchoReply {
		return 0, false
	}
	e, err := ip6.ParseEcho(m.Body)
	return e.Sequence, err == nil && e.Identifier == identifier
}

// station is an engine as the air sees it.
type station struct{ *engine }

func (s station) HandleFrame(now time.Time, psdu []byte, rssi int) {
	s.Engine.HandleFrame(now, psdu, rssi)
	s.after()
}

func (s station) HandleTimeout(now time.Time) {
	s.Engine.HandleTimeout(now)
	s.after()
}

func (s station) HandleTransmitDone(now time.Time, err error) {
	if s.budget != nil {
		s.budget.Settle(now, s.booked, err == nil)
		s.tell(now)
	}
	s.Engine.HandleTransmitDone(now, err)
	s.after()
}

// tell tells the engine what it may still send.
func (s station) tell(now time.Time) {
	if now.Sub(s.told) < runner.TellEvery {
		return
	}
	s.told = now
	s.Engine.SetAirtime(now, runner.Tightest(s.budget.Usage(now)))
}

// most is how many packets in a row may be refused; an engine waits after each.
const most = 100

func (s station) PollTransmit() ([]byte, bool) {
	for range most {
		psdu, ok := s.Engine.PollTransmit()
		if !ok || s.budget == nil {
			return psdu, ok
		}
		now := s.node.net.Now()
		err := s.budget.Book(now, psdu)
		if err == nil {
			s.booked = append(s.booked[:0], psdu...)
			return psdu, true
		}
		s.blocked++
		s.Engine.HandleTransmitDone(now, thread.ErrRefused)
	}
	return nil, false
}
