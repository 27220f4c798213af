//go:build unix

package fields

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// Cells of 16 nodes each, in rows and columns, so far apart that some nodes of a cell hear some of the next one's: 1000 of them are many
// partitions, that know of each other.
const (
	cellNodes = 16
	cellPitch = 2.4
)

func cells(n int) (places []lorasim.Position) {
	side := int(math.Ceil(math.Sqrt(float64((n + cellNodes - 1) / cellNodes))))
	for i := range n {
		p, cell := Cell(cellNodes)[i%cellNodes], i/cellNodes
		places = append(places, lorasim.Position{X: p.X + cellPitch*float64(cell%side), Y: p.Y + cellPitch*float64(cell/side)})
	}
	return places
}

// BenchmarkNodeHour simulates an hour of fields of cells, switched on within a minute, in which each node asks another one of its cell
// every 320 s, which is a question each 20 s in a cell. It tells the processor time for a node and an hour. With PYMESH_LARGE=1 it goes on to 1000
// nodes.
func BenchmarkNodeHour(b *testing.B) {
	for _, n := range []int{16, 64, 256, 1000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			if n > 256 && os.Getenv("PYMESH_LARGE") == "" {
				b.Skip("set PYMESH_LARGE=1")
			}
			before := processorTime(b)
			var m *meshtest.Mesh
			for b.Loop() {
				m = hourOfCells(b, n)
			}
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(n*b.N), "ms/node-hour")
			partitions := map[uint32]bool{}
			for _, node := range m.Nodes {
				if l, ok := node.Leader(); ok {
					partitions[l.PartitionID] = true
				}
			}
			b.ReportMetric(float64(len(partitions)), "partitions")
			b.ReportMetric(float64(m.Sim.Stats().Sent)/float64(n), "sent/node")
			b.ReportMetric(float64(m.Sim.Stats().Delivered)/float64(n), "heard/node")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func hourOfCells(b *testing.B, n int) *meshtest.Mesh {
	m := meshtest.New(b, lorasim.Options{Seed: 1, Propagation: Within(Reach, Signal)})
	r := rand.New(rand.NewPCG(1, 5))
	for _, p := range cells(n) {
		m.Sim.After(time.Duration(r.Int64N(int64(time.Minute))), m.Add(1, p, nil).Start)
	}
	const period = cellNodes * 20 * time.Second
	for at := period / time.Duration(n); at < time.Hour; at += period / time.Duration(n) {
		from := r.IntN(n)
		to := from/cellNodes*cellNodes + r.IntN(cellNodes)
		if to != from && to < n {
			m.Sim.After(at, func() { sendQuestion(b, m, m.Nodes[from], m.Nodes[to]) })
		}
	}
	m.Sim.Run(time.Hour)
	return m
}

// sendQuestion sends an echo request. Answers are dropped where they arrive.
func sendQuestion(b *testing.B, m *meshtest.Mesh, from, to *meshtest.Node) {
	for _, ok := from.PollPacket(); ok; _, ok = from.PollPacket() {
	}
	dst := to.MeshLocalEID()
	h := ip6.Header{HopLimit: 64, Src: from.SelectSource(dst), Dst: dst}
	packet, err := ip6.AppendEcho(nil, h, ip6.ICMPv6EchoRequest, ip6.Echo{Identifier: 1, Data: make([]byte, 16)})
	if err != nil {
		b.Fatal(err)
	}
	_ = from.HandlePacket(m.Sim.Now(), packet) // one that is not attached cannot
	from.Antenna.Touch()
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
