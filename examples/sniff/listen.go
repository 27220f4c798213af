package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/internal/hat"
	"github.com/gopymesh/pymesh/internal/pcap"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread/keys"
)

const (
	// emulatedSpeed is how fast time passes on the air of -emulated.
	emulatedSpeed = 20
	// greetingSize is the number of bytes in the pings among the nodes of -emulated.
	greetingSize = 8
)

// listener listens with a LoRa hat, or with an emulated chip among simulated nodes.
type listener struct {
	hat      *hat.Flags
	emulated bool
	capture  string // the pcap file to write, "-" for stdout, or ""
	stdout   io.WriteCloser
	duration time.Duration // by the radio's clock; 0: no end
	nodes    int           // simulated ones
	key      [keys.Size]byte
}

func (l *listener) validate() error {
	if _, err := l.hat.Config(); err != nil {
		return err
	}
	_, err := l.hat.Board()
	return err
}

// listen opens the radio and lets show have what it hears.
func (l *listener) listen(ctx context.Context, stderr io.Writer, show func(context.Context, source) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	open := func() (lora.Radio, error) { return l.hat.Open(log) }
	if l.emulated {
		air := l.hat.Emulate(emulatedSpeed, log)
		closeNodes, err := l.populate(ctx, air.Air)
		defer closeNodes()
		if err != nil {
			return err
		}
		middle := float64(l.nodes-1) / 2 * spacing
		open = func() (lora.Radio, error) { return air.Open(middle) }
	}
	radio, err := open()
	if err != nil {
		return err
	}
	defer radio.Close()

	var file *pcap.Writer
	if l.capture != "" {
		f := io.WriteCloser(l.stdout)
		if l.capture != "-" {
			if f, err = os.Create(l.capture); err != nil {
				return err
			}
			defer f.Close()
		}
		if file, err = pcap.NewWriter(f, pcap.IEEE802154TAP); err != nil {
			return err
		}
	}
	c := radio.Config()
	fmt.Fprintf(stderr, "sniff: listens on %v, %v, %v, sync word %v\n", c.Frequency, c.Bandwidth, c.SpreadingFactor, c.SyncWord)
	if l.duration > 0 {
		clock := lora.ClockOf(radio)
		ctx, cancel = context.WithTimeout(ctx, clock.Until(clock.Now().Add(l.duration)))
		defer cancel()
	}
	return show(ctx, func(ctx context.Context, packets chan<- packet) error { return receive(ctx, radio, file, packets) })
}

// receive sends what the radio hears to the channel, and to the file if there is one, until ctx is done.
func receive(ctx context.Context, radio lora.Radio, file *pcap.Writer, packets chan<- packet) error {
	buf := make([]byte, lora.MaxPacket)
	for {
		r, err := radio.Receive(ctx, buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		// A file has microseconds: what is read again shows the same times.
		p := packet{at: r.Time.Truncate(time.Microsecond), psdu: slices.Clone(buf[:r.N]), heard: &strength{r.RSSI, r.SNR}}
		if file != nil {
			if err := writeRecord(file, p); err != nil {
				return err
			}
		}
		select {
		case packets <- p:
		case <-ctx.Done():
			return nil
		}
	}
}

// writeRecord writes a packet and its strength to a file.
func writeRecord(file *pcap.Writer, p packet) error {
	tap := pcap.TAP{Fields: pcap.TAPFCS | pcap.TAPRSSI | pcap.TAPSNR, FCS: pcap.FCS16, RSSI: float32(p.heard.rssi), SNR: float32(p.heard.snr)}
	data, err := tap.AppendBinary(nil)
	if err != nil {
		return err
	}
	return file.WriteRecord(pcap.Record{Time: p.at, Data: append(data, p.psdu...)})
}

// populate puts a row of nodes on the air. The last one pings the first now and then.
func (l *listener) populate(ctx context.Context, air *lorasim.Air) (closeAll func(), err error) {
	var nodes []*pymesh.Node
	closeAll = func() {
		for _, n := range nodes {
			_ = n.Close() // a simulated radio has no fault to report
		}
	}
	cfg, err := l.hat.Config()
	if err != nil {
		return closeAll, err
	}
	key, err := pymesh.KeyOf(l.key[:])
	if err != nil {
		return closeAll, err
	}
	for i := range l.nodes {
		node, err := pymesh.New(air.Radio(cfg, lorasim.Position{X: float64(i) * spacing}), pymesh.WithKey(key))
		if err != nil {
			return closeAll, err
		}
		nodes = append(nodes, node)
	}
	if l.nodes > 1 {
		go greet(ctx, air.Clock(), nodes[l.nodes-1], nodes[0])
	}
	return closeAll, nil
}

// greet lets one node ping another until ctx is done.
func greet(ctx context.Context, clock lora.Clock, from, to *pymesh.Node) {
	for {
		pause, cancel := context.WithTimeout(ctx, clock.Until(clock.Now().Add(greetingInterval)))
		if to.WaitAttached(pause) == nil && from.WaitAttached(pause) == nil {
			_, _ = from.Ping(pause, to.MeshLocalEID(), greetingSize) // fails until the two are in one mesh
		}
		<-pause.Done()
		cancel()
		if ctx.Err() != nil {
			return
		}
	}
}
