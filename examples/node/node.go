package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/hats"
)

// emulatedSpeed is how fast time passes on the simulated air.
const emulatedSpeed = 20

// run opens the radio and lets the node live until ctx ends.
func (p *program) run(ctx context.Context) error {
	if p.emulated {
		return p.emulate(ctx)
	}
	store, err := p.openStore()
	if err != nil {
		return err
	}
	defer store.Close()
	chip, err := p.hat.Open(p.log)
	if err != nil {
		return err
	}
	return p.live(ctx, chip, store, nil)
}

// openStore opens the store, and goes on from the generation before a damaged one if that is asked for.
func (p *program) openStore() (*pymesh.FileStore, error) {
	store, err := pymesh.OpenFileStore(p.store)
	switch {
	case !errors.Is(err, pymesh.ErrStoreDamaged):
		return store, err
	case !p.recoverStore:
		return nil, fmt.Errorf("%w (node -recover-store recovers it)", err)
	}
	p.log.Warn("store is damaged", "err", err)
	aside, err := pymesh.RecoverFileStore(p.store)
	if err != nil {
		return nil, err
	}
	p.log.Warn("store is recovered from the generation before", "store", p.store, "damaged", aside)
	return pymesh.OpenFileStore(p.store)
}

// stores keep what must survive a restart: of the node, and of what it has sent.
type stores interface {
	pymesh.Store
	lora.AirtimeStore
}

// memory is both in simulations.
type memory struct {
	pymesh.MemoryStore
	lora.MemoryAirtimeStore
}

// live lets a node live on a chip, which it closes. meet, if any, is called once the node runs.
func (p *program) live(ctx context.Context, chip hats.Radio, store stores, meet func(context.Context, *pymesh.Node)) error {
	defer chip.Close()
	for _, w := range chip.Config().Warnings() {
		p.log.Warn(w)
	}
	options := append([]pymesh.Option{pymesh.WithStore(store), pymesh.WithLogger(p.log)}, slices.Concat(p.network, p.own)...)
	if p.capture != "" {
		file, err := os.Create(p.capture)
		if err != nil {
			return err
		}
		defer file.Close()
		options = append(options, pymesh.WithCapture(file))
	}
	var governor *lora.Governor
	var radio lora.Radio = chip
	if !p.noLimit {
		governor = lora.Govern(chip, lora.WithLogger(p.log), lora.WithAirtimeStore(store))
		defer governor.Close()
		radio = governor
	}
	node, err := pymesh.New(radio, options...)
	if err != nil {
		return err
	}
	defer node.Close()
	conn, err := node.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(p.port)))
	if err != nil {
		return err
	}
	defer conn.Close()
	outside, err := p.agent.Listen()
	if err != nil {
		return err
	}
	go p.answer(conn)
	p.log.Info("node runs", "mac", node.MAC(), "udp", conn.LocalAddr(), "store", p.store)
	p.supervise.ready()
	defer p.supervise.stopping()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if outside != nil {
		go p.agent.Serve(ctx, node, outside, p.log)
	}
	if meet != nil {
		go meet(ctx, node)
	}
	return p.watch(ctx, node, chip, governor)
}

// watch reports the node's state until ctx ends, the time is over, or the node fails.
func (p *program) watch(ctx context.Context, node *pymesh.Node, chip hats.Radio, governor *lora.Governor) error {
	clock := chip.Clock()
	start := clock.Now()
	report := start.Add(p.status)
	alive := time.NewTicker(p.supervise.interval())
	defer alive.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	events := node.Events(ctx)
	for {
		next := report
		if end := start.Add(p.duration); p.duration > 0 && end.Before(next) {
			next = end
		}
		timer.Reset(max(clock.Until(next), 0))
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-events:
			if !ok {
				if err := node.Err(); err != nil {
					return err
				}
				return ctx.Err()
			}
			p.supervise.status(node.String())
		case <-alive.C:
			_ = node.State() // does not return if the node hangs, and systemd starts it again
			p.supervise.alive()
		case <-timer.C:
			now := clock.Now()
			if !now.Before(report) {
				p.report(node, chip, governor)
				report = now.Add(p.status)
			}
			if p.duration > 0 && now.Sub(start) >= p.duration {
				p.report(node, chip, governor)
				return nil
			}
		}
	}
}

// report logs the state of node and radio.
func (p *program) report(node *pymesh.Node, chip hats.Radio, governor *lora.Governor) {
	var neighbors []string
	for _, n := range node.Neighbors() {
		snr := "unknown"
		if n.SNR != pymesh.SNRUnknown {
			snr = fmt.Sprintf("%.1f dB", n.SNR)
		}
		neighbors = append(neighbors, fmt.Sprintf("%v(%v, %d dBm, SNR %s)", n.MAC, n.RLOC16, n.RSSI, snr))
	}
	s := chip.Stats()
	p.log.Info("state", "role", node.State(), "rloc16", node.RLOC16(), "eid", node.MeshLocalEID(),
		"neighbors", strings.Join(neighbors, " "))
	p.log.Info("radio", "sent", s.Sent, "airtime", s.Airtime.Round(time.Millisecond), "received", s.Received, "crc errors", s.CRCErrors,
		"busy", s.Deferred, "missed", s.Missed, "repairs", s.Repairs)
	if governor == nil {
		return
	}
	for _, u := range governor.Usage() {
		p.log.Info("duty cycle", "usage", u.String())
	}
}

// answer sends datagrams back to where they came from.
func (p *program) answer(conn *pymesh.UDPConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			p.log.Info("datagram", "from", from, "bytes", n)
			_, err = conn.WriteToUDPAddrPort(buf[:n], from)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			p.log.Warn("datagram not answered", "err", err)
		}
	}
}
