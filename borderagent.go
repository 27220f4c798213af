package pymesh

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/borderagent"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

// BorderAgentPort is the UDP port on which commissioner programs expect a border agent, unless mDNS tells them another.
const BorderAgentPort = borderagent.UDPPort

// ErrNoPassphrase says that there is nothing by which a commissioner could show that it may manage the mesh.
var ErrNoPassphrase = errors.New("pymesh: neither a passphrase, nor a PSKc in the network's dataset")

// A BorderAgent says how [Node.ServeCommissioner] lets a commissioner manage the mesh.
type BorderAgent struct {
	// Passphrase is what the mesh's owner types into the commissioner, 6 to 255 bytes: the longer the better, 20 random letters and digits are out
	// of anybody's reach. With the network's name and extended PAN ID it makes the key, PSKc, that both sides have to know. Empty for the PSKc that is
	// in the network's dataset.
	Passphrase string
	// Event, if not nil, is called with what commissioners do. It must not wait long.
	Event func(BorderAgentEvent)
}

// String tells nothing of the passphrase.
func (BorderAgent) String() string { return "pymesh.BorderAgent" }

// GoString is String: the passphrase does not print with %#v either.
func (b BorderAgent) GoString() string { return b.String() }

// CommissionerStep is what a commissioner outside the mesh has done.
type CommissionerStep uint8

// The steps.
const (
	CommissionerConnected = CommissionerStep(borderagent.Connected) // it has the right passphrase
	CommissionerAccepted  = CommissionerStep(borderagent.Accepted)  // the leader has made it the commissioner
	CommissionerRejected  = CommissionerStep(borderagent.Rejected)  // the leader has not: there is another
	CommissionerGone      = CommissionerStep(borderagent.Gone)      // it has closed the connection, or Err tells why it is gone
	CommissionerGuessed   = CommissionerStep(borderagent.Guessed)   // it had another passphrase
)

// String returns the step in a word.
func (s CommissionerStep) String() string { return borderagent.EventKind(s).String() }

// A BorderAgentEvent tells what a commissioner outside the mesh does.
type BorderAgentEvent struct {
	Step CommissionerStep
	Peer netip.AddrPort // the commissioner's
	ID   string         // what it calls itself, with CommissionerAccepted and CommissionerRejected
	Err  error          // with CommissionerGone
}

// ServeCommissioner makes the node a border agent: a commissioner program on a computer or a telephone, of Thread's standard, manages the mesh through
// it. It reaches the node at conn, a UDP socket of the host ([net.ListenUDP], port [BorderAgentPort]), shows by DTLS that it knows the passphrase, and
// then lets nodes in, changes the network's parameters, and asks nodes for diagnostics. There is one commissioner in a network at a time.
//
// It serves until ctx ends, the node is closed or conn fails, and returns why; conn stays open. It fails at once with [ErrNoPassphrase], and if
// the passphrase is none, conn is no UDP socket or the node is serving already.
//
// Who has not shown the passphrase cannot do anything in the mesh, learns nothing of it, and has few tries: after 5 wrong ones from an address each
// takes 30 s. Offline guessing is not possible. Who has it can read what the network's security policy lets it read, and decide who joins.
func (n *Node) ServeCommissioner(ctx context.Context, conn net.PacketConn, b BorderAgent) error {
	if conn == nil {
		return errors.New("pymesh: ServeCommissioner: conn is nil")
	}
	if _, ok := conn.LocalAddr().(*net.UDPAddr); !ok {
		return fmt.Errorf("pymesh: ServeCommissioner: %v is no address of UDP", conn.LocalAddr())
	}
	s, err := newAgentServer(n, conn, b)
	if err != nil {
		return err
	}
	n.mu.Lock()
	busy := n.serving
	n.serving = true
	n.mu.Unlock()
	if busy {
		return fmt.Errorf("pymesh: ServeCommissioner: %w", thread.ErrExists)
	}
	defer func() {
		n.mu.Lock()
		n.serving = false
		n.mu.Unlock()
	}()
	return s.serve(ctx)
}

// agentServer moves messages between a socket, a borderagent.Agent and a node.
type agentServer struct {
	node  *Node
	conn  net.PacketConn
	cfg   BorderAgent
	agent *borderagent.Agent
	key   [16]byte
	of    thread.Network // from which the key was derived
}

// repeatFrames is for how many of the longest frames a datagram is taken for one that is under way already.
const repeatFrames = 20

func newAgentServer(n *Node, conn net.PacketConn, b BorderAgent) (*agentServer, error) {
	s := &agentServer{node: n, conn: conn, cfg: b}
	if _, err := s.keyChanged(); err != nil {
		return nil, fmt.Errorf("pymesh: ServeCommissioner: %w", err)
	}
	var err error
	s.agent, err = borderagent.New(borderagent.Config{Key: s.key, Rand: rand.Reader, Repeat: repeatFrames * n.frame, Frame: n.frame})
	return s, err
}

// keyChanged derives the PSKc again if the network is another, and reports whether it is.
func (s *agentServer) keyChanged() (changed bool, err error) {
	network := thread.Network{}
	if !s.node.run.Do(func(time.Time) { network = s.node.engine.Network() }) {
		return false, ErrClosed
	}
	if network == s.of {
		return false, nil
	}
	key := network.PSKc
	if s.cfg.Passphrase != "" {
		if key, err = meshcop.PSKc(s.cfg.Passphrase, network.Name, network.ExtPANID); err != nil {
			return false, err
		}
	}
	if key == [16]byte{} {
		return false, ErrNoPassphrase
	}
	changed = key != s.key
	s.key, s.of = key, network
	return changed, nil
}

// incoming is a datagram from the host's network.
type incoming struct {
	from netip.AddrPort
	data []byte
}

// maxIncoming is how many datagrams from the host's network wait. The system keeps others, and drops what is more.
const maxIncoming = 16

func (s *agentServer) serve(ctx context.Context) error {
	events, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := s.node.Events(events)
	in, failed, gone := make(chan incoming, maxIncoming), make(chan error, 1), make(chan struct{})
	go func() {
		defer close(gone)
		failed <- s.read(events, in)
	}()
	defer func() {
		cancel()
		_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // ends the reader
		<-gone
		_ = s.conn.SetReadDeadline(time.Time{})
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		reports := false
		select {
		case d := <-in:
			s.agent.HandleDatagram(time.Now(), d.from, d.data)
		case <-s.node.reports:
			reports = true
		case <-timer.C:
			s.agent.HandleTimeout(time.Now())
		case ev, ok := <-changes:
			if err := s.follow(ev, ok); err != nil {
				return s.end(cmp.Or(ctx.Err(), err))
			}
		case err := <-failed:
			return s.end(cmp.Or(ctx.Err(), err))
		case <-ctx.Done():
			return s.end(ctx.Err())
		}
		s.pump(reports)
		if t, ok := s.agent.NextTimeout(); ok {
			timer.Reset(time.Until(t))
		}
	}
}

// follow takes a change of the node's.
func (s *agentServer) follow(ev Event, ok bool) error {
	if !ok {
		return cmp.Or(s.node.Err(), ErrClosed)
	}
	if ev.Type != EventNetwork && ev.Lost == 0 {
		return nil
	}
	changed, err := s.keyChanged()
	if changed {
		s.agent.SetKey(time.Now(), s.key)
	}
	return err
}

// end tells all commissioners, and the leader, that this is over.
func (s *agentServer) end(err error) error {
	s.agent.Close(time.Now())
	s.pump(false)
	return err
}

// read takes datagrams off the socket until ctx ends. A socket may report an error for a datagram sent before, so that one error is none.
func (s *agentServer) read(ctx context.Context, in chan<- incoming) error {
	const (
		maxSize     = 2048
		maxFailures = 16
	)
	buf := make([]byte, maxSize)
	for failures := 0; ; {
		size, addr, err := s.conn.ReadFrom(buf)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && (errors.Is(err, net.ErrClosed) || failures >= maxFailures):
			return fmt.Errorf("pymesh: ServeCommissioner: %w", err)
		case err != nil:
			failures++
			continue
		}
		failures = 0
		from, ok := addr.(*net.UDPAddr)
		if !ok {
			continue
		}
		select {
		case in <- incoming{from.AddrPort(), append([]byte(nil), buf[:size]...)}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pump goes on until neither side has anything for the other. What strangers send does not get as far as the node: it costs the mesh no time.
func (s *agentServer) pump(reports bool) {
	for {
		var requests []borderagent.Request
		for r, ok := s.agent.PollRequest(); ok; r, ok = s.agent.PollRequest() {
			requests = append(requests, r)
		}
		if len(requests) == 0 && !reports {
			break
		}
		var got []borderagent.Report
		s.node.run.Do(func(now time.Time) {
			for _, r := range requests {
				s.node.engine.HandleRequest(now, r)
			}
			for r, ok := s.node.engine.PollReport(); ok; r, ok = s.node.engine.PollReport() {
				got = append(got, r)
			}
		})
		for _, r := range got {
			s.agent.HandleReport(time.Now(), r)
		}
		reports = false
	}
	for out, ok := s.agent.PollTransmit(); ok; out, ok = s.agent.PollTransmit() {
		if _, err := s.conn.WriteTo(out.Datagram, net.UDPAddrFromAddrPort(out.To)); err != nil {
			s.node.log.Debug("to a commissioner", "peer", out.To, "err", err)
		}
	}
	for ev, ok := s.agent.PollEvent(); ok; ev, ok = s.agent.PollEvent() {
		s.tell(ev)
	}
}

func (s *agentServer) tell(ev borderagent.Event) {
	s.node.log.Info("commissioner outside", "step", ev.Kind, "peer", ev.Peer, "id", ev.ID, "err", ev.Err)
	if s.cfg.Event != nil {
		s.cfg.Event(BorderAgentEvent{Step: CommissionerStep(ev.Kind), Peer: ev.Peer, ID: ev.ID, Err: ev.Err})
	}
}
