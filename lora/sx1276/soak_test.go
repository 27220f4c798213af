package sx1276_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// soakFrames is how many frames TestSoak sends; soakShort with -short; PYMESH_SOAK says another number.
const soakFrames, soakShort = 20_000, 3_000

// soakFaults are injected at any moment of a frame, into one of the chips. Those that destroy
// frames by themselves say for how long: frames that the chip receives meanwhile may be lost.
var soakFaults = []struct {
	name   string
	inject func(c *sx1276emu.Chip, d time.Duration)
	lasts  bool          // for the duration given
	heals  time.Duration // how long the consequences last after that; 0: there must be none
}{
	{"edges lost", func(c *sx1276emu.Chip, d time.Duration) { c.LoseEdges(0, 1+int(d.Milliseconds()%3)) }, false, 0},
	{"one SPI error", func(c *sx1276emu.Chip, _ time.Duration) { c.FailSPI(1, errors.New("SPI")) }, false, 0},
	{"two SPI errors", func(c *sx1276emu.Chip, _ time.Duration) { c.FailSPI(2, errors.New("SPI")) }, false, 0},
	{"DIO0 stuck high", func(c *sx1276emu.Chip, d time.Duration) {
		c.StickDIO(0, true)
		time.Sleep(d)
		c.FreeDIO(0)
	}, true, 0},
	{"CRC error", func(c *sx1276emu.Chip, _ time.Duration) { c.CorruptReceive(1) }, false, 0},
	{"DIO0 stuck low", func(c *sx1276emu.Chip, d time.Duration) {
		c.StickDIO(0, false)
		time.Sleep(d)
		c.FreeDIO(0)
	}, true, time.Second}, // until the driver finds out
	{"brown-out", func(c *sx1276emu.Chip, _ time.Duration) { c.BrownOut() }, false, time.Second},
	{"SPI dead", func(c *sx1276emu.Chip, d time.Duration) {
		c.FailSPI(-1, errors.New("SPI"))
		time.Sleep(d)
		c.FailSPI(0, nil)
	}, true, 10 * time.Second},
	{"chip silent", func(c *sx1276emu.Chip, d time.Duration) {
		c.Silence(0xff * byte(d.Milliseconds()%2))
		time.Sleep(d)
		c.Speak()
	}, true, 10 * time.Second},
	{"transmission hangs", func(c *sx1276emu.Chip, _ time.Duration) { c.HangTransmit(1) }, false, 0},
}

// TestSoak lets two chips talk while all kinds of faults happen to them. What the air delivered to
// a chip must arrive at the program, unless a fault destroyed it.
func TestSoak(t *testing.T) {
	frames := soakFrames
	if testing.Short() {
		frames = soakShort
	}
	if v := os.Getenv("PYMESH_SOAK"); v != "" {
		var err error
		if frames, err = strconv.Atoi(v); err != nil {
			t.Fatal("PYMESH_SOAK:", err)
		}
	}
	const seed = 1
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(seed, 0))
		air := lorasim.NewAir(lorasim.Options{Seed: seed})
		cfg := lora.Config{Bandwidth: lora.BW500}
		var chips [2]*sx1276emu.Chip
		var radios [2]*sx1276.Radio
		var excused [2]time.Time // until then frames may be lost
		for i := range chips {
			chips[i] = sx1276emu.New(air, sx1276emu.Options{
				Seed: seed, Position: lorasim.Position{X: 30 * float64(i)}, Transfer: sx1276emu.WireTime(overhead),
				OnViolation: func(v sx1276emu.Violation) {
					// A brown-out between two transfers of a driver that sends, or clears the interrupt flags: FSK's RegRxBw has their address.
					brownout := v.Rule == sx1276emu.LongRangeAwake || v.Rule == sx1276emu.FSKModem || v.Rule == sx1276emu.ConfigReceiving
					if !brownout || v.Time.After(excused[i]) {
						t.Errorf("at %v: %v", v.Time, v)
					}
				},
			})
			radios[i] = drive(t, chips[i], pins(chips[i]), cfg)
		}
		injected := make([]int, len(soakFaults))
		var sent, failed, delivered, arrived, excusedLoss int
		var packet, buf [lora.MaxPacket]byte
		var faults sync.WaitGroup
		for i := 0; sent < frames; i++ {
			from := rng.IntN(2)
			to := 1 - from
			binary.BigEndian.PutUint32(packet[:], uint32(i))
			n := 5 + rng.IntN(123)
			if rng.IntN(10) == 0 {
				f, at := rng.IntN(len(soakFaults)), rng.IntN(2)
				injected[f]++
				after := rand.N(20 * time.Millisecond)
				lasts := time.Duration(rng.IntN(3000)) * time.Millisecond
				fault := soakFaults[f]
				if fault.heals > 0 {
					until := time.Now().Add(after + fault.heals)
					if fault.lasts {
						until = until.Add(lasts)
					}
					if until.After(excused[at]) {
						excused[at] = until
					}
				}
				faults.Go(func() {
					time.Sleep(after)
					fault.inject(chips[at], lasts)
				})
			}
			before := chips[to].Stats().Received
			start := time.Now()
			err := radios[from].Send(context.Background(), packet[:n])
			if err == nil {
				sent++
			} else {
				failed++
				time.Sleep(time.Second)
			}
			if chips[to].Stats().Received == before {
				continue // the air did not deliver it
			}
			delivered++
			ctx, cancel := context.WithTimeout(context.Background(), 1100*time.Millisecond)
			for {
				p, err := radios[to].Receive(ctx, buf[:])
				if err == nil && p.N == n && binary.BigEndian.Uint32(buf[:]) == uint32(i) {
					arrived++
					break
				}
				if ctx.Err() == nil {
					continue
				}
				if excusedLoss++; start.After(excused[to]) {
					t.Errorf("frame %d from %d (%v) was delivered but did not arrive", i, from, err)
				}
				break
			}
			cancel()
		}
		faults.Wait()
		t.Logf("%d frames sent, %d failed; %d delivered by the air, %d arrived, %d destroyed by faults", sent, failed, delivered, arrived, excusedLoss)
		for i, n := range injected {
			t.Logf("%6d × %s", n, soakFaults[i].name)
		}
		for i, r := range radios {
			t.Logf("radio %d: %+v", i, r.Stats())
		}
	})
}
