package main

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim/wire"
	"github.com/gopymesh/pymesh/internal/steady"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
)

// radioPlace is a place on a LoRa radio. Its time is the radio's.
type radioPlace struct {
	radio lora.Radio
	stop  func() // ends what else is on the air
}

func (p radioPlace) Close() error {
	err := p.radio.Close()
	if p.stop != nil {
		p.stop()
	}
	return err
}

// heard is a packet from the radio.
type heard struct {
	psdu []byte
	rssi int
}

// sendTimeout is when a radio is called back that is not done with a packet. The longest takes a few seconds.
const sendTimeout = time.Minute

// Run lets the device live until ctx ends.
func (p radioPlace) Run(ctx context.Context, d wire.Device, calls <-chan func(now time.Time)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	packets := make(chan heard)
	failed := make(chan error, 1)
	go func() { failed <- p.receive(ctx, packets) }()
	sent := make(chan error, 1)
	busy := false
	clock := steady.New(lora.ClockOf(p.radio))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		if !busy {
			if psdu, ok := d.PollTransmit(); ok {
				busy = true
				go func() {
					sending, cancel := context.WithTimeout(ctx, sendTimeout)
					defer cancel()
					sent <- p.radio.Send(sending, psdu)
				}()
			}
		}
		var wake <-chan time.Time
		if at, ok := d.NextTimeout(); ok {
			timer.Reset(max(clock.Until(at), 0))
			wake = timer.C
		}
		select {
		case h := <-packets:
			d.HandleFrame(clock.Now(), h.psdu, min(h.rssi, thread.EnergyUnknown-1))
		case err := <-sent:
			busy = false
			d.HandleTransmitDone(clock.Now(), err)
		case <-wake:
			d.HandleTimeout(clock.Now())
		case call := <-calls:
			call(clock.Now())
		case err := <-failed:
			return err
		case <-ctx.Done():
		}
	}
	return nil
}

// receive hands on what the radio receives until ctx ends or the radio fails.
func (p radioPlace) receive(ctx context.Context, packets chan<- heard) error {
	cfg := p.radio.Config()
	for {
		b := make([]byte, lora.MaxPacket)
		r, err := p.radio.Receive(ctx, b)
		if errors.Is(err, context.Canceled) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case packets <- heard{b[:r.N], int(math.Round(r.Strength(cfg)))}:
		case <-ctx.Done():
			return nil
		}
	}
}
