package main

import (
	"context"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// The simulated mesh has a node beside it that knows nothing but its password, and waits to be let in.
const (
	newcomerPassword = "J01NME"
	newcomerMAC      = pymesh.MAC(0x70b3d54990000099)
	newcomerPause    = time.Minute // between its tries, by its clock
)

// join has the newcomer try to come into the mesh until it is let in, or ctx ends.
func (f *field) join(ctx context.Context) {
	radio, store := f.air.Radio(emulatedRadio, lorasim.Position{X: emulatedStep / 2, Y: emulatedStep / 2}), pymesh.WithStore(new(pymesh.MemoryStore))
	defer radio.Close()
	clock := f.air.Clock()
	for {
		_, err := pymesh.Join(ctx, radio, newcomerPassword, store, pymesh.WithMAC(newcomerMAC))
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			break
		}
		timer := time.NewTimer(clock.Until(clock.Now().Add(newcomerPause)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
	n, err := pymesh.New(radio, store, pymesh.WithMAC(newcomerMAC))
	if err != nil {
		return
	}
	<-ctx.Done()
	_ = n.Close()
}
