package main

import (
	"context"
	"errors"
	"log"
	"net"
	"syscall"
	"time"

	coapnet "github.com/plgd-dev/go-coap/v3/net"

	"github.com/plgd-dev/go-coap/v3/dtls/server"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
	"github.com/plgd-dev/go-coap/v3/net/monitor/inactivity"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/udp/client"
)

// LoRa is slower than what CoAP's constants are made for (RFC 7252 §4.8): an answer may take half a minute.
const (
	ackTimeout      = 40 * time.Second / speed
	maxRetransmit   = 4
	transferTimeout = 20 * time.Minute / speed
)

// patient is a socket that takes what the mesh says of a datagram, that nobody was there just then, for a datagram lost: CoAP sends it again.
type patient struct{ net.Conn }

func passing(err error) bool {
	return errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.ECONNREFUSED)
}

func (c patient) Read(b []byte) (int, error) {
	for {
		if n, err := c.Conn.Read(b); !passing(err) {
			return n, err
		}
	}
}

func (c patient) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if passing(err) {
		return len(b), nil
	}
	return n, err
}

// newConn runs CoAP on any connected datagram socket. The library's session for DTLS is one on a net.Conn.
func newConn(ctx context.Context, conn net.Conn, handler client.HandlerFunc) *client.Conn {
	cfg := client.DefaultConfig
	cfg.Ctx = ctx
	cfg.MessagePool = pool.New(0, 0)
	cfg.Errors = func(err error) {
		if !coapnet.IsCancelOrCloseError(err) {
			log.Print(err)
		}
	}
	if handler != nil {
		cfg.Handler = handler
	}
	options.WithTransmission(1, ackTimeout, maxRetransmit).UDPClientApply(&cfg)
	options.WithBlockwise(true, blockwise.SZX512, transferTimeout).UDPClientApply(&cfg)
	session := server.NewSession(ctx, coapnet.NewConn(patient{conn}), cfg.MaxMessageSize, cfg.MTU, true)
	c := client.NewConnWithOpts(session, &cfg,
		client.WithBlockWise(func(c *client.Conn) *blockwise.BlockWise[*client.Conn] {
			return blockwise.New(c, cfg.BlockwiseTransferTimeout, cfg.Errors, func(token message.Token) (*pool.Message, bool) {
				return c.GetObservationRequest(token)
			})
		}),
		client.WithInactivityMonitor(inactivity.NewNilMonitor[*client.Conn]()))
	go func() {
		if err := c.Run(); err != nil && ctx.Err() == nil {
			cfg.Errors(err)
		}
	}()
	go func() { // retransmissions
		tick := time.NewTicker(ackTimeout / 8)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				c.CheckExpirations(now)
			case <-c.Done():
				return
			}
		}
	}()
	return c
}

// serve gives each peer of a socket a connection of its own, of which the library makes a server.
func serve(ctx context.Context, socket net.PacketConn, handler client.HandlerFunc) {
	peers := map[string]net.Conn{}
	defer func() {
		for _, p := range peers {
			p.Close()
		}
	}()
	buf := make([]byte, 1500)
	for {
		n, from, err := socket.ReadFrom(buf)
		if err != nil {
			return
		}
		peer := peers[from.String()]
		if peer == nil {
			inside, outside := net.Pipe() // keeps datagrams apart
			peers[from.String()], peer = outside, outside
			newConn(ctx, inside, handler)
			go send(socket, from, outside)
		}
		if _, err := peer.Write(buf[:n]); err != nil {
			delete(peers, from.String())
		}
	}
}

// send sends what comes out of a peer's connection.
func send(socket net.PacketConn, to net.Addr, from net.Conn) {
	buf := make([]byte, 1500)
	for {
		n, err := from.Read(buf)
		if err == nil {
			_, err = socket.WriteTo(buf[:n], to)
		}
		if err != nil {
			return
		}
	}
}
