package sx1276emu

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// TestTraffic has four chips and a simulated radio talk at random, without listening
// before: they collide, miss what comes while they send, and are interrupted. What the
// air delivers to a chip, the chip delivers to its host.
func TestTraffic(t *testing.T) {
	const chips, packets = 4, 100
	synctest.Test(t, func(t *testing.T) {
		air := newAir(-90)
		var wg sync.WaitGroup
		sent := make(chan []byte, chips*packets)
		for i := range chips {
			h := newHost(t, air, Options{Seed: uint64(i)})
			h.up()
			wg.Go(func() { h.talk(i, packets, sent) })
		}
		r := air.Radio(lora.Config{}, lorasim.Position{})
		wg.Go(func() {
			for range packets {
				r.Send(t.Context(), make([]byte, 20))
				time.Sleep(3 * time.Second)
			}
		})
		wg.Wait()
		stats := air.Stats()
		if stats.Delivered < packets || stats.Collided < packets/2 || stats.HalfDuplex == 0 {
			t.Errorf("a dull test: %+v", stats)
		}
	})
}

// talk sends packets at random times and receives in between.
func (h *host) talk(id, packets int, sent chan<- []byte) {
	random := rand.New(rand.NewPCG(1, uint64(id)))
	edges := h.DIO(0).Edges()
	received, broken := uint64(0), uint64(0)
	last := make([]uint32, 16)
	for seq := range packets {
		h.listen()
		pause := time.After(time.Duration(random.Int64N(int64(2 * time.Second))))
		for waiting := true; waiting; {
			select {
			case <-edges:
			case <-pause:
				waiting = false
			}
			flags := h.get(regIrqFlags)
			if flags&irqRxDone == 0 {
				continue
			}
			packet := h.take()
			if flags&irqPayloadCrcError != 0 {
				broken++
				continue
			}
			received++
			from, n := packet[0], binary.BigEndian.Uint32(packet[1:])
			if from != 0 && n <= last[from] {
				h.t.Errorf("packet %d of %d after %d", n, from, last[from])
			}
			last[from] = n
			if !bytes.Equal(packet[5:], make([]byte, len(packet)-5)) {
				h.t.Errorf("packet %x", packet)
			}
		}
		packet := make([]byte, 5+random.IntN(60))
		packet[0] = byte(id + 1)
		binary.BigEndian.PutUint32(packet[1:], uint32(seq+1))
		h.send(packet)
		sent <- packet
	}
	h.set(regOpMode, opSleep)
	stats, antenna := h.Stats(), h.Antenna().Stats()
	if stats.Received != received || stats.CRCErrors != broken || stats.Overrun != 0 || stats.Sent != uint64(packets) {
		h.t.Errorf("%+v, but %d received, %d broken", stats, received, broken)
	}
	if antenna.Delivered != received || antenna.Sent != uint64(packets) {
		h.t.Errorf("%+v, but %d received", antenna, received)
	}
}

// TestDIOMapping sets one interrupt flag after the other and looks at all lines.
func TestDIOMapping(t *testing.T) {
	flags := map[byte][dioCount]int{ // flag: mapping of each DIO that shows it, or -1
		irqRxDone:          {0, -1, -1, -1, -1, -1},
		irqTxDone:          {1, -1, -1, -1, -1, -1},
		irqCadDone:         {2, -1, -1, 0, -1, -1},
		irqRxTimeout:       {-1, 0, -1, -1, -1, -1},
		irqCadDetected:     {-1, 2, -1, -1, 0, -1},
		irqValidHeader:     {-1, -1, -1, 1, -1, -1},
		irqPayloadCrcError: {-1, -1, -1, 2, -1, -1},
	}
	bubble(t, Options{}, func(h *host) {
		h.up()
		h.set(regOpMode, opSleep)
		for mapping := range 4 {
			all := byte(mapping * 0x55)
			h.set(regDioMapping1, all, all)
			for flag, shown := range flags {
				h.lora[regIrqFlags] = flag // as only the modem can do
				for n := range dioCount {
					h.wantDIO(n, shown[n] == mapping)
				}
			}
			h.lora[regIrqFlags] = irqFhssChange
			h.wantDIO(1, mapping == 1)
			h.wantDIO(2, mapping != 3)
		}
	})
}

// TestRealTime runs two chips on the wall clock, with many goroutines at each; it is for
// the race detector.
func TestRealTime(t *testing.T) {
	air := lorasim.NewAir(lorasim.Options{Speed: 100, NoListen: true, Propagation: lorasim.Uniform(-90)})
	a, b := newHost(t, air, Options{Seed: 1}), newHost(t, air, Options{Seed: 2})
	a.up()
	b.up()
	var wg sync.WaitGroup
	for _, h := range []*host{a, b} {
		wg.Go(func() {
			for range 20 {
				h.send(sequence(0, 10))
				h.listen()
			}
		})
		wg.Go(func() {
			for range 200 {
				h.Stats()
				h.Violations()
				h.DIO(0).Level()
				air.Stats()
				time.Sleep(50 * time.Microsecond)
			}
		})
	}
	wg.Wait()
}
