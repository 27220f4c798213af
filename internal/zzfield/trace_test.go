package zzfield

import (
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
)

func TestTrace(t *testing.T) {
	name := os.Getenv("TRACE")
	if name == "" {
		t.Skip()
	}
	seed, _ := strconv.ParseUint(os.Getenv("SEED"), 10, 64)
	opt := lorasim.Options{Seed: seed, Propagation: func(_ float64, a, b lorasim.Position) float64 {
		if a.Distance(b) <= 1.5 {
			return -100
		}
		return math.Inf(-1)
	}}
	m := meshtest.New(t, opt)
	h := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(g []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case "time":
			return slog.String("t", m.Sim.Now().Format("04:05.000"))
		case "level":
			return slog.Attr{}
		}
		return a
	}})
	r := rand.New(rand.NewPCG(seed, 5))
	i := 0
	for _, p := range places(name, seed) {
		i++
		k := i
		m.Add(seed, p, func(c *thread.Config) {
			if os.Getenv("LOG") != "" {
				c.Logger = slog.New(h).With("n", k)
			}
		})
	}
	for _, n := range m.Nodes {
		m.Sim.After(time.Duration(r.Int64N(int64(time.Minute))), n.Start)
	}
	last := m.Sim.Stats()
	for i := range 90 {
		m.Run(10 * time.Second)
		st := m.Sim.Stats()
		parts := map[uint32]int{}
		for _, n := range m.Nodes {
			if l, ok := n.Leader(); ok {
				parts[l.PartitionID]++
			}
		}
		fmt.Printf("%4d s: detached %d child %d router %d leader %d; partitions %v; air %.0f%% sent %d collided %d\n", (i+1)*10, m.Count(thread.RoleDetached), m.Count(thread.RoleChild), m.Count(thread.RoleRouter), m.Count(thread.RoleLeader), parts, (st.Airtime-last.Airtime).Seconds()*10, st.Sent-last.Sent, st.Collided-last.Collided)
		last = st
		if m.OneMesh() {
			break
		}
	}
}
