package sx126x_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/internal/sx126xemu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx126x"
	"periph.io/x/conn/v3/physic"
)

// cost is what a frame costs on SPI.
type cost struct{ transfers, bytes uint64 }

func (c cost) String() string { return fmt.Sprintf("%d transfers, %d bytes", c.transfers, c.bytes) }

func spent(r *sx126x.Radio) cost {
	s := r.Stats()
	return cost{s.Transfers, s.Bytes}
}

func (c cost) since(before cost) cost {
	return cost{c.transfers - before.transfers, c.bytes - before.bytes}
}

// TestTurnaround measures, by the time of the air, how long after the end of a frame its
// acknowledgment begins, if the program answers at once; and what frames cost on SPI. The
// emulator counts 20 µs for each transfer beside its bits; a program's own time is not in it.
func TestTurnaround(t *testing.T) {
	const frame, ack = 64, 5
	for _, tt := range []struct {
		mhz    int
		listen sx126x.Listen
		atMost time.Duration
	}{
		{2, sx126x.Listen{}, 2500 * time.Microsecond},
		{5, sx126x.Listen{}, 2500 * time.Microsecond},
		{8, sx126x.Listen{}, 2500 * time.Microsecond},
		{5, sx126x.PycomListen(lora.Config{}), 6 * time.Millisecond},
	} {
		name := fmt.Sprintf("%d MHz, turnaround %v", tt.mhz, tt.listen.Turnaround)
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				air := lorasim.NewAir(lorasim.Options{})
				chip := emulate(t, air, sx126xemu.Options{})
				r := drive(t, chip, pins(chip), plain, lora.Config{}, sx126x.WithListen(tt.listen),
					sx126x.WithSPIClock(physic.Frequency(tt.mhz)*physic.MegaHertz))
				peer := air.Radio(lora.Config{}, lorasim.Position{X: 50})
				defer peer.Close()
				ctx := t.Context()
				var buf, answer [lora.MaxPacket]byte
				var got, sent cost
				var taken time.Duration
				for range 3 {
					time.Sleep(300 * time.Millisecond) // away from the check of each second
					sentAt := make(chan time.Time)
					go func() {
						peer.Send(ctx, make([]byte, frame))
						sentAt <- time.Now()
					}()
					before := spent(r)
					p, err := r.Receive(ctx, buf[:])
					if err != nil {
						t.Fatal(err)
					}
					got = spent(r).since(before)
					end := <-sentAt
					if !p.Time.Equal(end) {
						t.Errorf("received at %v, sent at %v", p.Time, end)
					}
					before = spent(r)
					if err := r.Send(ctx, buf[:ack]); err != nil {
						t.Fatal(err)
					}
					sent = spent(r).since(before)
					a, err := peer.Receive(ctx, answer[:])
					if err != nil {
						t.Fatal(err)
					}
					taken = a.Time.Add(-r.Config().Airtime(ack)).Sub(end)
				}
				t.Logf("%d bytes received: %v; %d sent: %v; RxDone to preamble: %v", frame, got, ack, sent, taken)
				if got.transfers > 7 || sent.transfers > 32 {
					t.Errorf("received: %v; sent: %v", got, sent)
				}
				if taken > tt.atMost || taken < tt.listen.Turnaround {
					t.Errorf("RxDone to preamble: %v", taken)
				}
			})
		})
	}
}

// TestSendCost measures what the longest frame of a mesh costs, without an acknowledgment.
func TestSendCost(t *testing.T) {
	onBench(t, func(b *bench) {
		for _, n := range []int{5, 64, 127, 255} {
			time.Sleep(300 * time.Millisecond)
			before := spent(b.radio)
			if err := b.radio.Send(context.Background(), make([]byte, n)); err != nil {
				b.Fatal(err)
			}
			b.Logf("%d bytes sent: %v", n, spent(b.radio).since(before))
		}
		for _, n := range []int{5, 64, 127, 255} {
			time.Sleep(300 * time.Millisecond)
			before := spent(b.radio)
			if err := b.peer.Send(context.Background(), make([]byte, n)); err != nil {
				b.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
			b.Logf("%d bytes received: %v", n, spent(b.radio).since(before))
		}
	})
}
