package sx126x_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/internal/sx126xemu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx126x"
)

// TestActivity: right after a packet of its own the receiver cannot know of one that is on the air already; activity detection does, and
// what it finds is received where enough of the preamble is left. Then reception goes on.
func TestActivity(t *testing.T) {
	for _, tcxo := range []int{0, 1800} {
		for _, preamble := range []uint16{8, 60} {
			synctest.Test(t, func(t *testing.T) {
				cfg := lora.Config{Preamble: preamble}
				air := lorasim.NewAir(lorasim.Options{Seed: 1, Propagation: lorasim.Uniform(-112)}) // RSSI does not notice
				chip := emulate(t, air, sx126xemu.Options{TCXO: tcxo})
				r := drive(t, chip, pins(chip), sx126x.Board{TCXO: tcxo}, cfg)
				peer := air.Radio(cfg, lorasim.Position{})
				defer peer.Close()
				var got atomic.Int32
				sent := 0
				go func() {
					var buf [lora.MaxPacket]byte
					for {
						p, err := r.Receive(t.Context(), buf[:])
						if err != nil {
							return
						}
						if p.N == 100 {
							got.Add(1)
						}
					}
				}()
				for i := range 20 {
					time.Sleep(time.Second)
					sent++
					go func() {
						before := time.Duration(2*i) * time.Millisecond // its end
						if preamble > 8 {
							before = time.Duration(-i) * 250 * time.Microsecond // so that no look finds it, but detection does
						}
						time.Sleep(r.Config().Airtime(30) - before)
						peer.Send(t.Context(), make([]byte, 100)) // it does not hear, and is not heard yet
					}()
					air.CutLink(peer, chip.Antenna())
					if err := r.Send(t.Context(), make([]byte, 30)); err != nil {
						t.Fatal(err)
					}
					air.RestoreLink(peer, chip.Antenna())
					if err := r.Send(t.Context(), make([]byte, 31)); err != nil {
						t.Fatal(err)
					}
					before := int(got.Load())
					if err := peer.Send(t.Context(), make([]byte, 100)); err != nil { // reception goes on
						t.Fatal(err)
					}
					if time.Sleep(10 * time.Millisecond); int(got.Load()) != before+1 {
						t.Errorf("deaf after activity, round %d", i)
					}
				}
				s := r.Stats()
				t.Logf("TCXO %d, preamble %d: %d of %d packets from before heard; %+v", tcxo, preamble, int(got.Load())-20, sent, s)
				if saved := int(got.Load()) - 20; preamble > 8 && saved < 15 {
					t.Errorf("%d of the packets found were received", saved)
				}
				if s.Activity < 4 || s.Repairs != 0 || s.Restarts != 0 || peer.Stats().HalfDuplex > 22 {
					t.Errorf("%+v, %+v", s, peer.Stats())
				}
			})
		}
	}
}

// TestPhantomPreamble makes the modem take noise for a preamble: that holds a packet up for as long as a header may take, and no longer.
func TestPhantomPreamble(t *testing.T) {
	onBench(t, func(b *bench) {
		cfg := b.radio.Config()
		time.Sleep(500 * time.Millisecond)
		b.chip.Phantom()
		start := time.Now()
		if err := b.say(); err != nil {
			b.Fatal(err)
		}
		waited := time.Since(start) - cfg.Airtime(len("packet 1"))
		header := cfg.PreambleTime() + 12*cfg.SymbolTime()
		if limit := header + sx126x.PycomListen(cfg).Backoff + 10*time.Millisecond; waited < header || waited > limit {
			b.Errorf("held up for %v, want %v to %v", waited, header, limit)
		}
		b.works()
	})
}

// TestNeverCutsReception gives the chip a packet to send while it receives one that is far weaker
// than the threshold.
func TestNeverCutsReception(t *testing.T) {
	onBench(t, func(b *bench) {
		b.peer.Move(lorasim.Position{X: 800}) // about -119 dBm
		long := make([]byte, 100)
		for _, after := range []time.Duration{5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 150 * time.Millisecond} {
			go b.peer.Send(context.Background(), long)
			time.Sleep(time.Millisecond + after) // the peer listens first
			if err := b.radio.Send(context.Background(), b.next()); err != nil {
				b.Fatal(err)
			}
			var buf [lora.MaxPacket]byte
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			if p, err := b.radio.Receive(ctx, buf[:]); err != nil || p.N != len(long) {
				b.Errorf("%v into it: %v", after, err)
			}
			cancel()
			time.Sleep(time.Second)
		}
		if s := b.chip.Stats(); s.Cut != 0 {
			b.Errorf("%d receptions cut", s.Cut)
		}
		b.count(sx126x.Stats{})
	})
}
