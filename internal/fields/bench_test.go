package fields

import (
	"fmt"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
)

// cells are groups of nodes that hear each other alone, in one row: several partitions.
func cells(groups, size int) Field {
	f := Field{Name: "cells", Propagation: Within(Reach, Signal)}
	for g := range groups {
		for _, p := range Grid(5, size/5) {
			f.Places = append(f.Places, lorasim.Position{X: p.X + 10*float64(g), Y: p.Y})
		}
	}
	return f
}

// BenchmarkNodeHour is what an hour of a node costs, in fields of cells of 20 nodes.
func BenchmarkNodeHour(b *testing.B) {
	for _, nodes := range []int{20, 200, 1000} {
		f := cells(nodes/20, 20)
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			hours := 0.0
			for seed := uint64(1); b.Loop(); seed++ {
				s, err := Run(b.Context(), Trial{Field: f, Seed: seed, FormLimit: time.Minute, Settle: time.Minute, Measure: 28 * time.Minute})
				if err != nil {
					b.Fatal(err)
				}
				hours += float64(len(s.Nodes)) / 2
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/hours, "ms/node-hour")
		})
	}
}
