package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/gateway/internal/advert"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

// outsideConfig is the section about commissioner programs.
type outsideConfig struct {
	Listen     string `toml:"listen"`
	Passphrase string `toml:"passphrase_file"`
	MDNS       bool   `toml:"mdns"`
	Name       string `toml:"name"`
}

func (c *outsideConfig) validate() error {
	const most = 63 // of a DNS label
	switch {
	case c.Listen == "":
		return nil
	case c.Passphrase == "":
		return errors.New("commissioner.listen needs commissioner.passphrase_file, a file with a passphrase of 6 to 255 bytes")
	case len(c.Name) > most:
		return fmt.Errorf("commissioner.name %q has more than %d bytes", c.Name, most)
	}
	if _, err := net.ResolveUDPAddr("udp", c.Listen); err != nil {
		return fmt.Errorf("commissioner.listen: %w", err)
	}
	return nil
}

// borderAgent lets commissioner programs of the host's network manage the mesh, and tells them by mDNS where it is. A nil one does neither.
type borderAgent struct {
	g      *gateway
	conn   net.PacketConn
	agent  pymesh.BorderAgent
	advert *advert.Advertiser
}

// advertiseAgain is how often what mDNS says is looked at again.
const advertiseAgain = 10 * time.Second

func (g *gateway) startBorderAgent(context.Context) (err error) {
	c := g.cfg.Commissioner
	if c.Listen == "" {
		return nil
	}
	b := &borderAgent{g: g}
	if b.agent.Passphrase, err = secret("commissioner.passphrase_file", c.Passphrase); err != nil {
		return err
	}
	if n := len(b.agent.Passphrase); n < meshcop.MinPassphraseSize || n > meshcop.MaxPassphraseSize {
		return fmt.Errorf("commissioner.passphrase_file: a passphrase of %d bytes, not %d to %d", n, meshcop.MinPassphraseSize, meshcop.MaxPassphraseSize)
	}
	b.agent.Event = b.happened
	if b.conn, err = net.ListenPacket("udp", c.Listen); err != nil {
		return fmt.Errorf("commissioner.listen: %w", err)
	}
	g.agent = b
	if c.MDNS {
		if b.advert, err = advert.Start(b.info(), nil); err != nil {
			return err
		}
	}
	g.log.Info("commissioners are served", "udp", b.conn.LocalAddr(), "mdns", c.MDNS)
	return nil
}

func (b *borderAgent) info() advert.Info {
	g := b.g
	network := g.node.Network()
	leader, attached := g.node.Leader()
	name := g.cfg.Commissioner.Name
	if name == "" {
		name = "pymesh " + g.cfg.Mesh.Name + " " + g.node.MAC().String()[12:]
	}
	return advert.Info{
		Instance: name, Port: b.conn.LocalAddr().(*net.UDPAddr).Port, Network: network.Name, ExtPANID: network.ExtPANID, MAC: uint64(g.node.MAC()),
		Partition: leader.PartitionID, Attached: attached, Model: "gateway",
	}
}

// run serves until ctx ends.
func (b *borderAgent) run(ctx context.Context) {
	if b == nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.advertise(ctx)
	}()
	err := b.g.node.ServeCommissioner(ctx, b.conn, b.agent)
	if ctx.Err() == nil {
		b.g.happened("problem", fmt.Sprintf("commissioners are served no more: %v", err))
	}
	<-done
}

// advertise keeps what mDNS says up with the mesh.
func (b *borderAgent) advertise(ctx context.Context) {
	if b.advert == nil {
		return
	}
	tick := time.NewTicker(advertiseAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := b.advert.Set(b.info()); err != nil {
				b.g.log.Warn("mDNS", "err", err)
			}
		}
	}
}

// happened tells of a commissioner.
func (b *borderAgent) happened(ev pymesh.BorderAgentEvent) {
	switch ev.Step {
	case pymesh.CommissionerAccepted:
		b.g.happened("join", fmt.Sprintf("%q at %v manages the mesh now", ev.ID, ev.Peer.Addr()))
	case pymesh.CommissionerRejected:
		b.g.happened("problem", fmt.Sprintf("%q at %v may not manage the mesh: there is another commissioner", ev.ID, ev.Peer.Addr()))
	case pymesh.CommissionerGuessed:
		b.g.happened("problem", fmt.Sprintf("a commissioner at %v has another passphrase", ev.Peer.Addr()))
	case pymesh.CommissionerGone:
		text := fmt.Sprintf("the commissioner at %v is gone", ev.Peer.Addr())
		if ev.Err != nil {
			text += ": " + ev.Err.Error()
		}
		b.g.happened("join", text)
	}
}

func (b *borderAgent) close() error {
	if b == nil {
		return nil
	}
	err := b.conn.Close()
	if b.advert != nil {
		err = errors.Join(err, b.advert.Close())
	}
	return err
}
