package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/gateway/internal/boards"
	"github.com/gopymesh/pymesh/examples/gateway/internal/mqtt"
	"github.com/gopymesh/pymesh/examples/gateway/internal/outbox"
	"github.com/gopymesh/pymesh/examples/gateway/internal/pycom"
)

// What becomes of something that was sent to a node, as whoever asked for it is told. Delivered is known of texts alone: a board says that they
// have come.
const (
	stageQueued    = "queued"
	stageSent      = "sent"
	stageDelivered = "delivered"
	stageNoRoute   = "no-route"
	stageDuty      = "duty-cycle"
	stageTimeout   = "timeout"
	stageTooLong   = "refused: too long"
	stageBusy      = "refused: one for this node is on its way"
	stageFull      = "refused: too many wait"
	stageNoPort    = "refused: the gateway has no socket"
)

// How long things take, by the clock of the radio: a write that waits for room, the mesh to say that there is no way, and a board to say that a
// text has come.
const (
	writePatience = 30 * time.Second
	settle        = 20 * time.Second
	textPatience  = 45 * time.Second

	carriers = 4 // that wait for answers at a time
)

// sender sends to nodes.
type sender struct {
	g      *gateway
	out    *outbox.Outbox
	boards *boards.Boards

	mu      sync.Mutex
	failing map[netip.Addr][]chan error // who wants to know what the mesh says of an address
}

func (s *sender) init(g *gateway) {
	s.g, s.failing = g, map[netip.Addr][]chan error{}
	s.out = outbox.New(g.clock.Now(), time.Duration(g.cfg.MQTT.DownlinkAirtime))
	s.boards = boards.New(librarian{g}, uint16(rand.Uint32()))
}

// after is a timer by the clock of the radio.
func (s *sender) after(d time.Duration) *time.Timer {
	return time.NewTimer(s.g.clock.Until(s.g.clock.Now().Add(d)))
}

// submit takes something for a node and reports whether it was taken; result hears the stages.
func (s *sender) submit(i outbox.Item) bool {
	switch err := s.out.Put(i); {
	case err == nil:
		return true
	case errors.Is(err, outbox.ErrBusy):
		i.Result(stageBusy)
	default:
		i.Result(stageFull)
	}
	return false
}

// carry sends what waits, until ctx ends.
func (s *sender) carry(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.out.More():
		}
		i, late, ok := s.out.Take(time.Now())
		if !ok {
			continue
		}
		if late {
			i.Result(stageTimeout)
		} else {
			s.deliver(ctx, i)
		}
		s.out.Done(i)
	}
}

// deliver sends an item, and waits for what becomes of it.
func (s *sender) deliver(ctx context.Context, i outbox.Item) {
	payload := i.Payload
	addr, err := s.resolve(i.Node, i.Text)
	if err != nil {
		i.Result(stageNoRoute)
		return
	}
	var arrived <-chan struct{}
	patience := settle
	if i.Text {
		p, done, forget, err := s.boards.Text(uint16(pycom.MACOf(i.Node)), string(payload))
		if err != nil {
			i.Result(stageFull)
			return
		}
		defer forget()
		if payload, err = p.AppendBinary(nil); err != nil {
			i.Result(stageTooLong)
			return
		}
		arrived, patience = done, textPatience
	}
	failed, stop := s.failures(addr)
	defer stop()
	stage := s.write(payload, netip.AddrPortFrom(addr, i.Port))
	if i.Result(stage); stage != stageSent {
		return
	}
	timer := s.after(patience)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-arrived:
		i.Result(stageDelivered)
	case <-failed:
		i.Result(stageNoRoute)
	case <-timer.C:
		if i.Text {
			i.Result(stageTimeout)
		}
	}
}

// write sends a datagram, and says sent or why not.
func (s *sender) write(payload []byte, to netip.AddrPort) string {
	c := s.g.socket(to.Port())
	if c == nil {
		return stageNoPort
	}
	cost := s.airtime(len(payload))
	if !s.out.Pay(s.g.clock.Now(), cost) || !s.affordable(cost) {
		return stageDuty
	}
	_ = c.SetWriteDeadline(s.g.clock.Now().Add(writePatience))
	_, err := c.WriteToUDPAddrPort(payload, to)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && s.g.hearErrors(c) { // it was of an earlier datagram
		_, err = c.WriteToUDPAddrPort(payload, to)
	}
	switch {
	case err == nil:
		return stageSent
	case errors.Is(err, os.ErrDeadlineExceeded) && s.affordable(cost):
		return stageTimeout
	case errors.Is(err, os.ErrDeadlineExceeded):
		return stageDuty
	}
	return stageNoRoute
}

// airtime is about what a datagram takes of the air on its first hop: full frames, of whose 127 bytes 90 are left for it.
func (s *sender) airtime(size int) time.Duration {
	const headers, frame, room = 30, 127, 90
	frames := int(math.Ceil(float64(size+headers) / room))
	return time.Duration(frames) * s.g.radio.Config().Airtime(frame)
}

// affordable reports whether the law allows so much airtime now.
func (s *sender) affordable(airtime time.Duration) bool {
	for _, u := range s.g.usage() {
		if u.Limit > 0 && u.Left < airtime {
			return false
		}
	}
	return true
}

// failures hears what the mesh says of datagrams to an address.
func (s *sender) failures(addr netip.Addr) (failed <-chan error, stop func()) {
	c := make(chan error, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing[addr] = append(s.failing[addr], c)
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.failing[addr] = slices.DeleteFunc(s.failing[addr], func(o chan error) bool { return o == c }); len(s.failing[addr]) == 0 {
			delete(s.failing, addr)
		}
	}
}

// refused is what the mesh says of a datagram.
func (s *sender) refused(e pymesh.DeliveryError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.failing[e.To.Addr()] {
		select {
		case c <- e:
		default:
		}
	}
}

// resolve finds an address of a node. Boards with Pycom's library have one that is made of their MAC address.
func (s *sender) resolve(node string, board bool) (netip.Addr, error) {
	if addr, ok := s.g.addrOf(node); ok {
		return addr, nil
	}
	if mac := pycom.MACOf(node); board && mac != 0 {
		return pymesh.PycomAddress(s.g.node.Network().MeshLocalPrefix, pymesh.MAC(mac)), nil
	}
	return netip.Addr{}, fmt.Errorf("there is no node %q", node)
}

// takeDown takes what the broker has for a node.
func (g *gateway) takeDown(m mqtt.Message) {
	if g.submit(outbox.Item{Node: m.Node, Port: m.Port, Payload: m.Payload, Text: m.Text, Expires: m.Expires, Result: m.Result}) {
		m.Result(stageQueued)
	}
}

// text sends a text to a board, and returns what has become of it: delivered, or an error.
func (g *gateway) text(ctx context.Context, node, text string) error {
	node, err := g.nodeNamed(node)
	switch {
	case err != nil:
		return err
	case text == "":
		return errors.New("no text")
	case len(text) > pycom.MaxText:
		return fmt.Errorf("%d bytes: a text has at most %d", len(text), pycom.MaxText)
	}
	stages := make(chan string, 8)
	g.submit(outbox.Item{Node: node, Port: pycom.Port, Payload: []byte(text), Text: true, Result: func(stage string) { stages <- stage }})
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case stage := <-stages:
			switch stage {
			case stageDelivered:
				g.happened("message", fmt.Sprintf("%s has: %s", short(node), printable([]byte(text))))
				return nil
			case stageSent, stageQueued:
			default:
				return errors.New(stage)
			}
		}
	}
}

// nodeNamed is the ID of a node that somebody has named by its MAC address or the end of it, of at most four digits.
func (g *gateway) nodeNamed(name string) (string, error) {
	mac, err := strconv.ParseUint(strings.TrimPrefix(name, "0x"), 16, 64)
	if err != nil || mac == 0 {
		return "", fmt.Errorf("%q is no MAC address: up to 16 hexadecimal digits, or the last four", name)
	}
	if mac <= math.MaxUint16 {
		for _, n := range g.view.Snapshot().Nodes {
			if !n.Self && len(n.ID) == 16 && uint16(pycom.MACOf(n.ID)) == uint16(mac) {
				return n.ID, nil
			}
		}
	}
	return fmt.Sprintf("%016x", mac), nil
}

// hearErrors takes what the mesh says of datagrams of a socket.
func (g *gateway) hearErrors(c *pymesh.UDPConn) (any bool) {
	for {
		e, ok := c.ReadError()
		if !ok {
			return any
		}
		any = true
		g.refused(e)
	}
}

// socket is the one of a port, else any, nil if there is none.
func (g *gateway) socket(port uint16) *pymesh.UDPConn {
	if s := g.sockets[port]; s != nil {
		return s
	}
	for _, p := range g.cfg.Mesh.Ports {
		return g.sockets[uint16(p)]
	}
	return nil
}

// closed reports whether a socket's error is its end.
func closed(err error) bool { return errors.Is(err, net.ErrClosed) || errors.Is(err, pymesh.ErrClosed) }
