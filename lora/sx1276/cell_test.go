package sx1276_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/internal/chipemu"
	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// cell is chips that all hear each other, with links that RSSI alone does not notice. All but the first send frames to the first, which
// acknowledges them; a frame that is not acknowledged is sent three times in all.
type cell struct {
	nodes    int
	size     int
	every    time.Duration // mean, for each node
	lasts    time.Duration
	listen   sx1276.Listen
	frames   int // given to the radios
	arrived  int
	acked    int
	tries    int
	refused  int
	collided uint64
}

func (c *cell) run(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{Seed: 1, Propagation: lorasim.Uniform(-105)})
		var radios []*sx1276.Radio
		for i := range c.nodes {
			chip := emulate(t, air, sx1276emu.Options{Seed: uint64(i), CAD: chipemu.MeasuredCAD})
			radios = append(radios, drive(t, chip, pins(chip), lora.Config{}, sx1276.WithListen(c.listen)))
		}
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		var mu sync.Mutex
		wg.Go(func() { // the sink
			seen := map[uint32]bool{}
			var buf [lora.MaxPacket]byte
			for {
				p, err := radios[0].Receive(ctx, buf[:])
				if err != nil {
					return
				}
				if p.N <= 5 {
					continue
				}
				id := binary.BigEndian.Uint32(buf[:])
				mu.Lock()
				if !seen[id] {
					c.arrived++
				}
				seen[id] = true
				mu.Unlock()
				radios[0].Send(ctx, append([]byte(nil), append(buf[:4:4], 0)...))
			}
		})
		end := time.Now().Add(c.lasts)
		for i := 1; i < c.nodes; i++ {
			r := radios[i]
			rng := rand.New(rand.NewPCG(uint64(i), 7))
			acks := make(chan uint32, 16)
			wg.Go(func() {
				var buf [lora.MaxPacket]byte
				for {
					p, err := r.Receive(ctx, buf[:])
					if err != nil {
						return
					}
					if p.N == 5 {
						select {
						case acks <- binary.BigEndian.Uint32(buf[:]):
						default:
						}
					}
				}
			})
			wg.Go(func() {
				packet := make([]byte, c.size)
				for n := 0; ; n++ {
					time.Sleep(time.Duration(rng.ExpFloat64() * float64(c.every)))
					if time.Now().After(end) {
						return
					}
					id := uint32(i<<16 | n)
					binary.BigEndian.PutUint32(packet, id)
					mu.Lock()
					c.frames++
					mu.Unlock()
					for try := range 3 {
						if try > 0 {
							time.Sleep(rand.N(200 * time.Millisecond))
						}
						err := r.Send(ctx, packet)
						mu.Lock()
						if c.tries++; err != nil {
							c.refused++
						}
						mu.Unlock()
						if err == nil && c.awaitAck(acks, id) {
							mu.Lock()
							c.acked++
							mu.Unlock()
							break
						}
					}
				}
			})
		}
		time.Sleep(c.lasts + 5*time.Second)
		cancel()
		wg.Wait()
		c.collided = air.Stats().Collided
	})
}

// awaitAck waits for the acknowledgment of a frame.
func (c *cell) awaitAck(acks <-chan uint32, id uint32) bool {
	timeout := time.After(100 * time.Millisecond)
	for {
		select {
		case got := <-acks:
			if got == id {
				return true
			}
		case <-timeout:
			return false
		}
	}
}

func (c *cell) String() string {
	return fmt.Sprintf("%d frames: %.1f %% arrived, %.1f %% acknowledged, %.2f tries each, %d refused, %d collisions",
		c.frames, 100*float64(c.arrived)/float64(c.frames), 100*float64(c.acked)/float64(c.frames), float64(c.tries)/float64(c.frames), c.refused, c.collided)
}

// TestCell measures how well chips share a channel.
func TestCell(t *testing.T) {
	base := sx1276.PycomListen(lora.Config{})
	noWindow, noActivity, neither := base, base, base
	noWindow.Window, noActivity.Activity = 0, false
	neither.Window, neither.Activity = 0, false
	for _, tt := range []struct {
		name   string
		nodes  int
		every  time.Duration
		listen sx1276.Listen
		acked  float64 // at least, in percent
	}{
		{"4 nodes", 4, time.Second, base, 99},
		{"8 nodes", 8, time.Second, base, 96},
		{"8 nodes, no window", 8, time.Second, noWindow, 0},
		{"8 nodes, no activity detection", 8, time.Second, noActivity, 0},
		{"8 nodes, neither", 8, time.Second, neither, 0},
		{"8 nodes, full", 8, 500 * time.Millisecond, base, 80},
		{"16 nodes", 16, 3 * time.Second, base, 95},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := cell{nodes: tt.nodes, size: 40, every: tt.every, lasts: 2 * time.Minute, listen: tt.listen}
			c.run(t)
			t.Log(&c)
			if got := 100 * float64(c.acked) / float64(c.frames); got < tt.acked {
				t.Errorf("%.1f %% acknowledged, want %v", got, tt.acked)
			}
		})
	}
}
