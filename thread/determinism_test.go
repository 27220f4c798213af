package thread_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
)

// scatter puts nodes at random places, no farther from the next one than a LoRa radio reaches well.
func scatter(t testing.TB, opt lorasim.Options, n int, change func(*thread.Config)) *mesh {
	m := newMesh(t, opt)
	r := rand.New(rand.NewPCG(opt.Seed, 1))
	var places []lorasim.Position
	for range n {
		var p lorasim.Position
		if len(places) > 0 {
			near := places[r.IntN(len(places))]
			p = lorasim.Position{X: near.X + 800*r.Float64() - 400, Y: near.Y + 800*r.Float64() - 400}
		}
		places = append(places, p)
		m.add(opt.Seed, p, change)
	}
	return m
}

// TestDeterminism runs the same mesh twice: the same bytes at the same times on the air; and with another seed: others.
func TestDeterminism(t *testing.T) {
	run := func(seed uint64) [32]byte {
		var air bytes.Buffer
		m := scatter(t, lorasim.Options{Seed: seed, Loss: 0.05, Capture: &air}, 6, nil)
		for _, n := range m.nodes {
			n.start()
			m.run(time.Second)
		}
		m.run(5 * time.Minute)
		for i := range 10 {
			a, b := m.nodes[i%6], m.nodes[(i+2)%6]
			if a.Role() >= thread.RoleChild {
				a.ping(b.MeshLocalEID(), 50*i, 10*time.Second)
			}
		}
		m.nodes[0].restart()
		m.run(5 * time.Minute)
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
			m := scatter(t, lorasim.Options{Seed: seed, Loss: 0.05}, 6, nil)
			for _, n := range m.nodes {
				n.start()
			}
			m.until(30*time.Minute, "one mesh", m.oneMesh)
			m.run(10 * time.Minute)
			m.until(10*time.Minute, "still one mesh", m.oneMesh)
			m.checkRLOCs()
			for i, a := range m.nodes {
				a.reach(m.nodes[(i+1)%len(m.nodes)].MeshLocalEID(), 50, 10*time.Minute)
			}
		})
	}
}
