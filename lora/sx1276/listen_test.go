package sx1276_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// TestNeverCutsReception gives the chip a packet to send while it receives one that is far weaker
// than the threshold.
func TestNeverCutsReception(t *testing.T) {
	onBench(t, func(b *bench) {
		b.peer.Move(lorasim.Position{X: 800}) // about -119 dBm
		long := make([]byte, 100)
		for _, after := range []time.Duration{
			5 * time.Millisecond, // in the preamble
			10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 150 * time.Millisecond,
		} {
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
		b.count(sx1276.Stats{})
	})
}

// TestBusyChannel keeps the channel busy with packets that cannot be received.
func TestBusyChannel(t *testing.T) {
	onBench(t, func(b *bench) {
		cfg := b.radio.Config()
		cfg.SyncWord = lora.SyncPrivate
		noise := b.air.Transceiver(lorasim.Position{X: 5}, func() {})
		noise.Configure(lorasim.Modulation{Config: cfg})
		noise.Transmit(b.air.Clock().Now(), make([]byte, 200), cfg.PreambleTime(), time.Minute)
		time.Sleep(time.Millisecond)
		start := time.Now()
		err := b.radio.Send(context.Background(), b.next())
		if wait := sx1276.PycomListen(cfg).Wait; !errors.Is(err, lora.ErrChannelBusy) || time.Since(start) < wait {
			b.Errorf("%v after %v, should wait %v", err, time.Since(start), wait)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		if err := b.radio.Send(ctx, b.next()); !errors.Is(err, context.DeadlineExceeded) {
			b.Errorf("cancelled: %v", err)
		}
		s := b.radio.Stats()
		if s.Busy != 1 || s.Deferred < 5 || s.Sent != 0 {
			b.Errorf("%+v", s)
		}
		noise.Idle()
		b.works()
	})
}

// TestBackoffIsRandom lets several chips wait for the same packet to end.
func TestBackoffIsRandom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{})
		const n = 4
		var sent, heard int
		talker := air.Radio(lora.Config{}, lorasim.Position{})
		var radios []*sx1276.Radio
		for i := range n {
			chip := emulate(t, air, sx1276emu.Options{Position: lorasim.Position{X: float64(i)}})
			radios = append(radios, drive(t, chip, pins(chip), lora.Config{}))
		}
		done := make(chan error, n)
		const rounds = 50
		for range rounds {
			go talker.Send(context.Background(), make([]byte, 50))
			time.Sleep(30 * time.Millisecond)
			for _, r := range radios {
				go func() { done <- r.Send(context.Background(), make([]byte, 5)) }()
			}
			for range n {
				if err := <-done; err == nil {
					sent++
				} else if !errors.Is(err, lora.ErrChannelBusy) {
					t.Fatal(err)
				}
			}
			for {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				var buf [lora.MaxPacket]byte
				_, err := talker.Receive(ctx, buf[:])
				cancel()
				if err != nil {
					break
				}
				heard++
			}
		}
		t.Logf("%d of %d sent, %d heard", sent, n*rounds, heard)
		if heard < n*rounds*3/4 {
			t.Error("too many collisions")
		}
	})
}

func TestPoliteListen(t *testing.T) {
	tests := []struct {
		bw   lora.Bandwidth
		want int
	}{{lora.BW125, -84}, {lora.BW250, -81}, {lora.BW500, -78}}
	for _, tt := range tests {
		if l := sx1276.PoliteListen(lora.Config{Bandwidth: tt.bw}); l.Threshold != tt.want || l.Gap != 100*time.Millisecond || l.MaxAirtime != time.Second {
			t.Errorf("%v: %+v", tt.bw, l)
		}
	}
	cfg := lora.Config{SpreadingFactor: lora.SF10}
	onBenchWith(t, cfg, nil, func(b *bench) {
		err := b.radio.Send(context.Background(), make([]byte, 127))
		if !isLoraError(err) || !errors.Is(err, sx1276.ErrAirtime) {
			b.Errorf("packet of %v: %v", b.radio.Config().Airtime(127), err)
		}
		start := time.Now()
		for range 3 {
			if err := b.radio.Send(context.Background(), make([]byte, 10)); err != nil {
				b.Fatal(err)
			}
		}
		if least := 3*b.radio.Config().Airtime(10) + 200*time.Millisecond; time.Since(start) < least {
			b.Errorf("3 packets in %v, less than %v", time.Since(start), least)
		}
	}, sx1276.WithListen(sx1276.PoliteListen(cfg)))
}

// TestEndlessReception makes the modem receive a packet that does not end.
func TestEndlessReception(t *testing.T) {
	onBench(t, func(b *bench) {
		cfg := b.radio.Config()
		odd := b.air.Transceiver(lorasim.Position{X: 500}, func() {})
		odd.Configure(lorasim.Modulation{Config: cfg})
		odd.Transmit(b.air.Clock().Now(), make([]byte, 20), cfg.PreambleTime(), time.Hour)
		time.Sleep(50 * time.Millisecond)
		for b.radio.Stats().Stuck == 0 {
			b.radio.Send(context.Background(), b.next())
			if time.Sleep(time.Millisecond); b.air.Clock().Now().Minute() > 5 {
				b.Fatal("never noticed")
			}
		}
		odd.Idle()
		time.Sleep(time.Second)
		b.works()
	})
}

// TestPhantomPreamble makes the modem take noise for a preamble: that holds a packet up for as long as a header may take, and no longer.
func TestPhantomPreamble(t *testing.T) {
	for _, sf := range []lora.SpreadingFactor{lora.SF7, lora.SF10} {
		cfg := lora.Config{SpreadingFactor: sf}
		onBenchWith(t, cfg, nil, func(b *bench) {
			time.Sleep(500 * time.Millisecond)
			b.chip.Phantom()
			start := time.Now()
			if err := b.say(); err != nil {
				b.Fatal(err)
			}
			waited := time.Since(start) - cfg.Airtime(len("packet 1"))
			b.Logf("%v: held up for %v", sf, waited)
			header := cfg.PreambleTime() + 12*cfg.SymbolTime()
			if limit := header + sx1276.PycomListen(cfg).Backoff + 10*time.Millisecond; waited < header || waited > limit {
				b.Errorf("%v: held up for %v, want %v to %v", sf, waited, header, limit)
			}
			if s := b.radio.Stats(); s.Stuck != 1 {
				b.Errorf("%+v", s)
			}
			if !b.hear(time.Second) {
				b.Error("deaf")
			}
		})
	}
}

// TestWindow: a packet that is given while another one's acknowledgment may begin waits for that; an acknowledgment does not, nor what takes
// its place.
func TestWindow(t *testing.T) {
	onBench(t, func(b *bench) {
		listen := sx1276.PycomListen(b.radio.Config())
		for _, tt := range []struct {
			size     int
			send     func(context.Context, []byte) error
			from, to time.Duration
		}{
			{5, b.radio.Send, listen.Turnaround, listen.Turnaround + time.Millisecond},
			{60, b.radio.Answer, listen.Turnaround, listen.Turnaround + time.Millisecond},
			{6, b.radio.Send, listen.Window, listen.Window + listen.Backoff + 5*time.Millisecond},
		} {
			time.Sleep(time.Second)
			if err := b.peer.Send(context.Background(), make([]byte, 30)); err != nil {
				b.Fatal(err)
			}
			end := time.Now()
			if err := tt.send(context.Background(), make([]byte, tt.size)); err != nil {
				b.Fatal(err)
			}
			if began := time.Since(end) - b.radio.Config().Airtime(tt.size); began < tt.from || began > tt.to {
				b.Errorf("%d bytes begin after %v, want %v to %v", tt.size, began, tt.from, tt.to)
			}
		}
	})
}

// TestActivity: right after a packet of its own the receiver cannot know of one that is on the air already; activity detection does.
func TestActivity(t *testing.T) {
	onBench(t, func(b *bench) {
		b.peer.Move(lorasim.Position{X: 800}) // about -119 dBm
		for i := range 20 {
			time.Sleep(time.Second)
			go func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				b.peer.Send(context.Background(), make([]byte, 100)) // it does not hear, and is not heard
			}()
			b.air.CutLink(b.peer, b.chip.Antenna())
			if err := b.radio.Send(context.Background(), b.next()); err != nil {
				b.Fatal(err)
			}
			b.air.RestoreLink(b.peer, b.chip.Antenna())
			if err := b.radio.Send(context.Background(), b.next()); err != nil {
				b.Fatal(err)
			}
		}
		if s := b.peer.Stats(); s.HalfDuplex > 22 { // all of the first packets, few of the second
			b.Errorf("%+v", s)
		}
		if s := b.radio.Stats(); s.Activity < 20 {
			b.Errorf("%+v", s)
		}
	})
}
