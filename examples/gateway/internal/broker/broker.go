// Package broker is an MQTT broker in the process, for a look around and for tests: on loopback, for whoever can reach it there.
package broker

import (
	"fmt"
	"io"
	"log/slog"
	"math"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

// Broker is a running broker.
type Broker struct {
	server *mochi.Server
	url    string
}

// Start runs a broker at an address such as 127.0.0.1:1883; with port 0 a free one is taken.
func Start(address string) (*Broker, error) {
	c := mochi.NewDefaultServerCapabilities()
	c.MaximumClients, c.MaximumPacketSize, c.MaximumInflight, c.MaximumClientWritesPending = 64, 1<<20, 1024, 1024
	c.MaximumSessionExpiryInterval = math.MaxUint32
	s := mochi.New(&mochi.Options{Capabilities: c, InlineClient: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err := s.AddHook(new(auth.AllowHook), nil); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	l := listeners.NewTCP(listeners.Config{ID: "tcp", Address: address})
	if err := s.AddListener(l); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if err := s.Serve(); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	return &Broker{s, "mqtt://" + l.Address()}, nil
}

// URL is where clients connect to.
func (b *Broker) URL() string { return b.url }

// Server is the broker itself, for clients in the process.
func (b *Broker) Server() *mochi.Server { return b.server }

// Close ends it.
func (b *Broker) Close() error { return b.server.Close() }
