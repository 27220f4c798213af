//go:build unix

package fields

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
)

// Cells of 16 nodes each, in rows and columns, so far apart that some nodes of a cell hear some of the next one's: 1000 of them are many
// partitions, that know of each other.
const (
	cellNodes = 16
	cellPitch = 2.4
)

func cells(n int) Field {
	side := int(math.Ceil(math.Sqrt(float64((n + cellNodes - 1) / cellNodes))))
	f := Field{Name: fmt.Sprintf("cells%d", n), Propagation: Within(Reach, Signal)}
	for i := range n {
		p, cell := Cell(cellNodes)[i%cellNodes], i/cellNodes
		f.Places = append(f.Places, lorasim.Position{X: p.X + cellPitch*float64(cell%side), Y: p.Y + cellPitch*float64(cell/side)})
	}
	return f
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
			var net *Net
			answered, asked := 0, 0
			for b.Loop() {
				net = hourOfCells(b, n)
				for _, a := range net.questions.asks {
					asked++
					if a.Took > 0 {
						answered++
					}
				}
			}
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(n*b.N), "ms/node-hour")
			b.ReportMetric(100*float64(answered)/float64(asked), "%answered")
			b.ReportMetric(float64(len(net.partitions)), "partitions")
			b.ReportMetric(float64(net.Sim.Stats().Sent)/float64(n), "sent/node")
			b.ReportMetric(float64(net.Sim.Stats().Delivered)/float64(n), "heard/node")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func hourOfCells(b *testing.B, n int) *Net {
	f := cells(n)
	net := newNet(context.Background(), lorasim.Options{Seed: 1, Propagation: f.Propagation})
	r := rand.New(rand.NewPCG(1, 5))
	for _, p := range f.Places {
		if err := net.add(1, p, nil); err != nil {
			b.Fatal(err)
		}
	}
	for _, node := range net.Nodes {
		net.Sim.After(time.Duration(r.Int64N(int64(time.Minute))), func() {
			if err := node.start(); err != nil {
				b.Error(err)
			}
		})
	}
	const period = cellNodes * 20 * time.Second
	net.questions.open = map[question]int{}
	for at := period / time.Duration(n); at < time.Hour; at += period / time.Duration(n) {
		from := r.IntN(n)
		to := from/cellNodes*cellNodes + r.IntN(cellNodes)
		if to == from || to >= n {
			continue
		}
		net.Sim.After(at, func() {
			net.questions.asks = append(net.questions.asks, Ask{From: from, To: to, At: net.elapsed()})
			net.ask(len(net.questions.asks)-1, 16)
		})
	}
	net.Sim.Run(time.Hour)
	return net
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
