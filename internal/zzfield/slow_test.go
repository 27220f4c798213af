package zzfield

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/dissect"
	"github.com/gopymesh/pymesh/internal/pcap"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
)

func TestSlow(t *testing.T) {
	name := os.Getenv("SLOW")
	if name == "" {
		t.Skip()
	}
	seed, _ := strconv.ParseUint(os.Getenv("SEED"), 10, 64)
	var buf bytes.Buffer
	opt := lorasim.Options{Seed: seed, Capture: &buf, Propagation: func(_ float64, a, b lorasim.Position) float64 {
		if a.Distance(b) <= 1.5 {
			return -100
		}
		return math.Inf(-1)
	}}
	m := meshtest.New(t, opt)
	r := rand.New(rand.NewPCG(seed, 5))
	for _, p := range places(name, seed) {
		m.Add(seed, p, nil)
	}
	for _, n := range m.Nodes {
		m.Sim.After(time.Duration(r.Int64N(int64(time.Minute))), n.Start)
	}
	m.Run(time.Minute)
	m.Sim.RunUntil(m.OneMesh, time.Hour)
	m.Run(5 * time.Minute)
	type window struct{ from, to time.Time; what string }
	var slow []window
	for range 60 {
		i, j := r.IntN(len(m.Nodes)), r.IntN(len(m.Nodes)-1)
		if j >= i {
			j++
		}
		from := m.Sim.Now()
		took, ok := m.Nodes[i].Ping(m.Nodes[j].MeshLocalEID(), 16, 20*time.Second)
		if took > 3*time.Second {
			slow = append(slow, window{from, m.Sim.Now(), fmt.Sprintf("%d (%v) -> %d (%v) took %v %v", i+1, m.Nodes[i].RLOC16(), j+1, m.Nodes[j].RLOC16(), took, ok)})
		}
		m.Run(20 * time.Second)
	}
	d := dissect.New(meshtest.NetworkKey)
	rd, _ := pcap.NewReader(&buf)
	for {
		rec, err := rd.Next()
		if err != nil {
			break
		}
		f := d.Dissect(rec.Time, rec.Data)
		for k, w := range slow {
			if k < 3 && !rec.Time.Before(w.from) && rec.Time.Before(w.to) {
				if slow[k].what != "" {
					fmt.Println("=====", w.what)
					slow[k].what = ""
				}
				fmt.Printf("%7.3f %3d %s %v->%v seq %d\n", rec.Time.Sub(w.from).Seconds(), len(rec.Data), f.Summary(), f.MAC.Src, f.MAC.Dst, f.MAC.Seq)
			}
		}
	}
	fmt.Println(len(slow), "slow")
}
