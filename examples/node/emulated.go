package main

import (
	"context"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/internal/hat"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/hats"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx126x"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// The simulated nodes: how many there are, and how far apart they stand, in meters.
const (
	peers   = 2
	spacing = 400
)

// emulate runs the node on an emulated chip, in a row with others: on a simulated radio, and on an emulated chip of the other family.
func (p *program) emulate(ctx context.Context) error {
	e := p.hat.Emulate(emulatedSpeed, p.log)
	var store stores = new(memory)
	if p.keepStore {
		file, err := p.openStore()
		if err != nil {
			return err
		}
		defer file.Close()
		store = file
	} else {
		p.store = "in memory"
	}
	var others []*pymesh.Node
	for i := range peers {
		radio, err := p.neighbor(e, i)
		if err != nil {
			return err
		}
		defer radio.Close()
		other, err := pymesh.New(radio, pymesh.WithKey(p.key))
		if err != nil {
			return err
		}
		defer other.Close()
		others = append(others, other)
	}
	chip, err := e.Open(0)
	if err != nil {
		return err
	}
	clock := e.Air.Clock()
	return p.live(ctx, chip, store, func(ctx context.Context, node *pymesh.Node) {
		for _, other := range others {
			p.meet(ctx, clock, other, node)
		}
	})
}

// neighbor returns the radio of one of the others. The first is on a chip of the family that the node's is not.
func (p *program) neighbor(e *hat.Emulated, i int) (lora.Radio, error) {
	place := float64(i+1) * spacing
	if i > 0 {
		cfg, err := p.hat.Config()
		return e.Air.Radio(cfg, lorasim.Position{X: place}), err
	}
	board, err := p.hat.Board()
	if err != nil {
		return nil, err
	}
	other := sx126x.RAK6421Slot1
	if board.SX126x != nil {
		return e.OpenBoard(hats.Hat{SX1276: &sx1276.DraginoHAT}, place)
	}
	return e.OpenBoard(hats.Hat{SX126x: &other}, place)
}

// meet lets a simulated node ping the node and send it a datagram.
func (p *program) meet(ctx context.Context, clock lora.Clock, other, node *pymesh.Node) {
	if node.WaitAttached(ctx) != nil || other.WaitAttached(ctx) != nil {
		return
	}
	wait := func(d time.Duration) time.Duration { return clock.Until(clock.Now().Add(d)) }
	conn, err := other.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), pycomPort))
	if err != nil {
		p.log.Error("simulated node", "err", err)
		return
	}
	defer conn.Close()
	for pinged, answered := false, false; !pinged || !answered; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait(10 * time.Second)):
		}
		to := node.MeshLocalEID()
		if !pinged {
			pingCtx, cancel := context.WithTimeout(ctx, wait(30*time.Second))
			pong, err := other.Ping(pingCtx, to, 8)
			cancel()
			if pinged = err == nil; pinged {
				p.log.Info("a simulated node pings this node", "mac", other.MAC(), "rtt", pong.RTT.Round(time.Millisecond))
			}
			continue
		}
		if _, err := conn.WriteToUDPAddrPort([]byte("Hello World!"), netip.AddrPortFrom(to, uint16(p.port))); err != nil {
			p.log.Warn("simulated node", "err", err)
			continue
		}
		var buf [100]byte
		conn.SetReadDeadline(time.Now().Add(wait(30 * time.Second)))
		n, _, err := conn.ReadFromUDPAddrPort(buf[:])
		if answered = err == nil; answered {
			p.log.Info("a simulated node has its datagram back", "mac", other.MAC(), "text", string(buf[:n]))
		}
	}
}
