package thread_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
)

// TestDeterminism runs the same mesh twice: the same bytes at the same times on the air; and with another seed: others.
func TestDeterminism(t *testing.T) {
	run := func(seed uint64) [32]byte {
		var air bytes.Buffer
		m := meshtest.Scatter(t, lorasim.Options{Seed: seed, Loss: 0.05, Capture: &air}, 6, nil)
		for _, n := range m.Nodes {
			n.Start()
			m.Run(time.Second)
		}
		m.Run(5 * time.Minute)
		for i := range 10 {
			a, b := m.Nodes[i%6], m.Nodes[(i+2)%6]
			if a.Role() >= thread.RoleChild {
				a.Ping(b.MeshLocalEID(), 50*i, 10*time.Second)
			}
		}
		m.Nodes[0].Restart()
		m.Run(5 * time.Minute)
		if air.Len() < 10000 {
			t.Errorf("seed %d: only %d bytes captured", seed, air.Len())
		}
		return sha256.Sum256(air.Bytes())
	}
	for seed := range uint64(3) {
		a, b, other := run(seed), run(seed), run(seed+100)
		if a != b {
			t.Errorf("seed %d: two runs differ", seed)
		}
		if a == other {
			t.Errorf("seeds %d and %d: the same", seed, seed+100)
		}
	}
}

// TestSeeds lets six nodes at random places, started at once, on a lossy LoRa channel, become one mesh, and its nodes reach each other.
func TestSeeds(t *testing.T) {
	seeds := uint64(30)
	if testing.Short() {
		seeds = 5
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed%d", seed), func(t *testing.T) {
			m := meshtest.Scatter(t, lorasim.Options{Seed: seed, Loss: 0.05}, 6, nil)
			for _, n := range m.Nodes {
				n.Start()
			}
			m.Until(30*time.Minute, "one mesh", m.OneMesh)
			m.Run(10 * time.Minute)
			m.Until(10*time.Minute, "still one mesh", m.OneMesh)
			checkRLOCs(t, m)
			for i, a := range m.Nodes {
				a.Reach(m.Nodes[(i+1)%len(m.Nodes)].MeshLocalEID(), 50, 10*time.Minute)
			}
		})
	}
}
