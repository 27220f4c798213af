package pymesh

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// Pong is the answer to a ping.
type Pong struct {
	From     netip.Addr
	Size     int           // bytes of data
	HopLimit int           // of the answer as it arrived
	RTT      time.Duration // by the radio's clock
}

type pong struct {
	from     netip.Addr
	size     int
	hopLimit int
	at       time.Time
}

// MaxPingSize is the largest size of a ping's data in bytes: 1224, and to a group of a scope wider than the mesh 1184.
const MaxPingSize = 1224

// maxPings bounds the pings that wait for their answers.
const maxPings = 1024

// Ping sends an echo request with size bytes of data to dst and waits for the first answer, until ctx ends. A request may get lost
// on the air: give it some seconds for each hop, then try again. To a node that has not been found of late nothing is sent; the error
// wraps EHOSTUNREACH then, beside that of ctx. When 1024 pings wait for their answers, one more fails with ENOBUFS; other errors are those
// of [UDPConn.WriteToUDPAddrPort].
func (n *Node) Ping(ctx context.Context, dst netip.Addr, size int) (Pong, error) {
	if size < 0 || size > MaxPingSize {
		return Pong{}, fmt.Errorf("pymesh: Ping: size %d is not in 0 to %d", size, MaxPingSize)
	}
	if !dst.Is6() || dst.Is4In6() {
		return Pong{}, fmt.Errorf("pymesh: Ping: %v is not an IPv6 address", dst)
	}
	if err := ctx.Err(); err != nil {
		return Pong{}, err
	}
	dst = dst.WithZone("")
	seq, answer, err := n.openPing()
	if err != nil {
		return Pong{}, err
	}
	defer n.closePing(seq)
	var start time.Time
	running := n.run.Do(func(now time.Time) {
		start = now
		var packet []byte
		packet, err = ip6.AppendEcho(nil, ip6.Header{HopLimit: 64, Src: n.engine.SelectSource(dst), Dst: dst},
			ip6.ICMPv6EchoRequest, ip6.Echo{Identifier: n.pingID, Sequence: seq, Data: make([]byte, size)})
		if err == nil {
			err = n.engine.HandlePacket(now, packet)
			n.engine.ExpectAnswer(now, 0)
		}
	})
	if !running {
		return Pong{}, ErrClosed
	}
	lost := errors.Is(err, thread.ErrNoRoute) // as if on the air: who pings in a loop does so at the same pace
	if err != nil && !lost {
		return Pong{}, fmt.Errorf("pymesh: Ping: %w", asErrno(err))
	}
	select {
	case p, ok := <-answer:
		if !ok {
			return Pong{}, ErrClosed
		}
		return Pong{From: p.from, Size: p.size, HopLimit: p.hopLimit, RTT: p.at.Sub(start)}, nil
	case <-ctx.Done():
		if lost {
			return Pong{}, fmt.Errorf("pymesh: Ping: %w: %w", ctx.Err(), asErrno(err))
		}
		return Pong{}, ctx.Err()
	}
}

// openPing takes a sequence number, under which the answer will come.
func (n *Node) openPing() (seq uint16, answer chan pong, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return 0, nil, ErrClosed
	}
	if len(n.pings) == maxPings {
		return 0, nil, fmt.Errorf("pymesh: Ping: %d others wait: %w", maxPings, asErrno(thread.ErrQueueFull))
	}
	for taken := true; taken; { // one of before 65,536 others may still wait
		n.pingSeq++
		_, taken = n.pings[n.pingSeq]
	}
	answer = make(chan pong, 1)
	n.pings[n.pingSeq] = answer
	return n.pingSeq, answer, nil
}

func (n *Node) closePing(seq uint16) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.pings, seq)
}

// handleICMP tells the sockets of errors, and gives the answer to a ping to who waits for it. It reports whether it was a ping of this node's.
func (n *Node) handleICMP(now time.Time, d *ip6.Datagram) bool {
	m, err := ip6.ParseICMPv6(d.Payload)
	if err == nil && m.Type.IsError() {
		n.sockets.refused(now, d.Src, m)
	}
	if err != nil || m.Type != ip6.ICMPv6EchoReply {
		return false
	}
	echo, err := ip6.ParseEcho(m.Body)
	if err != nil || echo.Identifier != n.pingID {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if c, ok := n.pings[echo.Sequence]; ok {
		select {
		case c <- pong{from: d.Src, size: len(echo.Data), hopLimit: int(d.HopLimit), at: now}:
		default: // a second answer to a multicast
		}
	}
	return true
}
