package sx126x_test

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

	"github.com/gopymesh/pymesh/internal/chipemu"
	"github.com/gopymesh/pymesh/internal/sx126xemu"
	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx126x"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// soakFrames is how many frames TestSoak sends; PYMESH_SOAK says another number.
const soakFrames = 5_000

// soakChip is one end of the soak: an SX1262 or an SX1276.
type soakChip struct {
	radio interface {
		lora.Radio
		Stats() sx126x.Stats
	}
	core     *chipemu.Core
	busy     func(stuck bool) // of the line BUSY, or nil
	refuse   func()           // a command
	deafen   func()
	latch    func()
	brownOut func()
	excused  time.Time // until then frames may be lost
}

// soakFaults are injected at any moment of a frame, into one of the chips. Those that destroy
// frames by themselves say for how long: frames that the chip receives meanwhile may be lost.
var soakFaults = []struct {
	name   string
	inject func(c *soakChip, d time.Duration)
	lasts  bool          // for the duration given
	heals  time.Duration // how long the consequences last after that; 0: there must be none
}{
	{"edges lost", func(c *soakChip, d time.Duration) { c.core.LoseLineEdges(0, 1+int(d.Milliseconds()%3)) }, false, 0},
	{"one SPI error", func(c *soakChip, _ time.Duration) { c.core.FailSPI(1, errors.New("SPI")) }, false, 0},
	{"two SPI errors", func(c *soakChip, _ time.Duration) { c.core.FailSPI(2, errors.New("SPI")) }, false, 0},
	{"interrupt line stuck high", func(c *soakChip, d time.Duration) {
		c.core.StickLine(0, true)
		time.Sleep(d)
		c.core.FreeLine(0)
	}, true, 0},
	{"CRC error", func(c *soakChip, _ time.Duration) { c.core.CorruptReceive(1) }, false, 0},
	{"interrupt line stuck low", func(c *soakChip, d time.Duration) {
		c.core.StickLine(0, false)
		time.Sleep(d)
		c.core.FreeLine(0)
	}, true, time.Second}, // until the driver finds out
	{"brown-out", func(c *soakChip, _ time.Duration) { c.brownOut() }, false, time.Second},
	{"SPI dead", func(c *soakChip, d time.Duration) {
		c.core.FailSPI(-1, errors.New("SPI"))
		time.Sleep(d)
		c.core.FailSPI(0, nil)
	}, true, 10 * time.Second},
	{"chip silent", func(c *soakChip, d time.Duration) {
		c.core.Silence(0xff * byte(d.Milliseconds()%2))
		time.Sleep(d)
		c.core.Speak()
	}, true, 10 * time.Second},
	{"transmission hangs", func(c *soakChip, _ time.Duration) { c.core.HangTransmit(1) }, false, 0},
	{"phantom preamble", func(c *soakChip, _ time.Duration) { c.core.Phantom() }, false, 0},
	{"BUSY stuck high", func(c *soakChip, d time.Duration) {
		if c.busy != nil {
			c.busy(true)
			time.Sleep(d)
			c.busy(false)
		}
	}, true, 10 * time.Second},
	{"command refused", func(c *soakChip, _ time.Duration) {
		if c.refuse != nil {
			c.refuse()
		}
	}, false, 2 * time.Second},
	{"flags latched", func(c *soakChip, _ time.Duration) {
		if c.latch != nil {
			c.latch()
		}
	}, false, 0},
	{"receiver deaf", func(c *soakChip, _ time.Duration) {
		if c.deafen != nil {
			c.deafen()
		}
	}, false, 70 * time.Second},
}

// soakPair returns an SX1262 and an SX1276 on an air. Commands may come right into a brown-out.
func soakPair(t *testing.T, air *lorasim.Air, seed uint64, cfg lora.Config) [2]*soakChip {
	var ends [2]*soakChip
	allowed := func(end int, v sx126xemu.Violation, rules ...sx126xemu.Rule) {
		for _, r := range rules {
			if v.Rule == r && !v.Time.After(ends[end].excused) {
				return
			}
		}
		t.Errorf("at %v: %v", v.Time, v)
	}
	a := sx126xemu.New(air, sx126xemu.Options{Seed: seed, TCXO: 1800, Transfer: sx126xemu.WireTime(overhead), OnViolation: func(v sx126xemu.Violation) {
		allowed(0, v, sx126xemu.CommandBusy, sx126xemu.WrongPacketType, sx126xemu.WrongMode, sx126xemu.BadFrequency, sx126xemu.NoInterrupt,
			sx126xemu.Errata, sx126xemu.BadModem, sx126xemu.ImageCalibration, sx126xemu.BadPower)
	}})
	b := sx1276emu.New(air, sx1276emu.Options{Seed: seed, Position: lorasim.Position{X: 30}, Transfer: sx1276emu.WireTime(overhead), OnViolation: func(v sx1276emu.Violation) {
		allowed(1, v, sx1276emu.LongRangeAwake, sx1276emu.FSKModem)
	}})
	ends[0] = &soakChip{core: &a.Core, brownOut: a.BrownOut, refuse: func() { a.RefuseCommands(1) }, deafen: a.Deafen,
		latch: func() { a.Latch(0x0004) },
		busy: func(stuck bool) {
			if stuck {
				a.StickBusy(true)
			} else {
				a.FreeBusy()
			}
		}}
	ends[1] = &soakChip{core: &b.Core, brownOut: b.BrownOut}
	ends[0].radio = drive(t, a, pins(a), sx126x.Board{TCXO: 1800}, cfg)
	p := b.Pins()
	p.CS = nil
	r, err := sx1276.New(b.Port(), p, cfg, sx1276.WithClock(b.Clock()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	ends[1].radio = r
	return ends
}

// frames returns how many frames to send.
func frames(t *testing.T) int {
	n := soakFrames
	if v := os.Getenv("PYMESH_SOAK"); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil {
			t.Fatal("PYMESH_SOAK:", err)
		}
	}
	return n
}

// TestSoak lets an SX1262 and an SX1276 talk while all kinds of faults happen to them. What the air delivered to
// a chip must arrive at the program, unless a fault destroyed it.
func TestSoak(t *testing.T) {
	frames := frames(t)
	const seed = 1
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(seed, 0))
		air := lorasim.NewAir(lorasim.Options{Seed: seed})
		ends := soakPair(t, air, seed, lora.Config{Bandwidth: lora.BW500})
		injected := make([]int, len(soakFaults))
		var sent, failed, delivered, arrived, excusedLoss int
		var packet, buf [lora.MaxPacket]byte
		var faults sync.WaitGroup
		for i := 0; sent < frames; i++ {
			from := rng.IntN(2)
			to := ends[1-from]
			binary.BigEndian.PutUint32(packet[:], uint32(i))
			n := 6 + rng.IntN(122)
			if rng.IntN(20) == 0 {
				f, at := rng.IntN(len(soakFaults)), ends[rng.IntN(2)]
				injected[f]++
				after := rand.N(20 * time.Millisecond)
				lasts := time.Duration(rng.IntN(3000)) * time.Millisecond
				fault := soakFaults[f]
				if fault.heals > 0 {
					until := time.Now().Add(after + fault.heals)
					if fault.lasts {
						until = until.Add(lasts)
					}
					if until.After(at.excused) {
						at.excused = until
					}
				}
				faults.Go(func() {
					time.Sleep(after)
					fault.inject(at, lasts)
				})
			}
			before := to.core.Stats().Received
			start := time.Now()
			err := ends[from].radio.Send(context.Background(), packet[:n])
			if err == nil {
				sent++
			} else {
				failed++
				time.Sleep(time.Second)
			}
			if to.core.Stats().Received == before {
				continue // the air did not deliver it
			}
			delivered++
			ctx, cancel := context.WithTimeout(context.Background(), 1100*time.Millisecond)
			for {
				p, err := to.radio.Receive(ctx, buf[:])
				if err == nil && p.N == n && binary.BigEndian.Uint32(buf[:]) == uint32(i) {
					arrived++
					break
				}
				if ctx.Err() == nil {
					continue
				}
				if excusedLoss++; start.After(to.excused) {
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
		for i, e := range ends {
			t.Logf("radio %d: %+v", i, e.radio.Stats())
		}
	})
}
