package thread_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
)

// BenchmarkMesh runs whole meshes in virtual time: IEEE 802.15.4 timing, an ideal air, all nodes hearing each other, all started at
// the same moment. An operation is the whole run, from power-on.
func BenchmarkMesh(b *testing.B) {
	for _, bb := range []struct {
		nodes int
		time  time.Duration
	}{{4, time.Hour}, {32, time.Hour}, {200, 10 * time.Minute}} {
		b.Run(fmt.Sprintf("%dnodes/%v", bb.nodes, bb.time), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m := newMesh(b, ideal())
				for range bb.nodes {
					m.add(1, lorasim.Position{}, stock)
				}
				for _, n := range m.nodes {
					n.start()
				}
				m.run(bb.time)
				if !m.oneMesh() {
					b.Fatal(m)
				}
			}
			b.ReportMetric(bb.time.Seconds()*float64(b.N)/b.Elapsed().Seconds(), "virtual-s/s")
		})
	}
}

// BenchmarkMemory reports the memory of a node that is part of a mesh.
func BenchmarkMemory(b *testing.B) {
	const nodes = 200
	measure := func() uint64 {
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	for b.Loop() {
		before := measure()
		m := newMesh(b, ideal())
		for range nodes {
			m.add(1, lorasim.Position{}, stock)
		}
		for _, n := range m.nodes {
			n.start()
		}
		m.run(10 * time.Minute)
		b.ReportMetric(float64(measure()-before)/nodes, "bytes/node")
		runtime.KeepAlive(m)
	}
}

// a mesh of two for the frame path.
func twoNodes(tb testing.TB) (m *mesh, a, b *node) {
	m = newMesh(tb, ideal())
	a, b = m.add(1, lorasim.Position{}, stock), m.add(1, lorasim.Position{}, stock)
	a.start()
	m.until(10*time.Second, "leader", func() bool { return a.Role() == thread.RoleLeader })
	b.start()
	m.until(200*time.Second, "router", func() bool { return b.Role() == thread.RoleRouter })
	m.run(time.Minute)
	return m, a, b
}
