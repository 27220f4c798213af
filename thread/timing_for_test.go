package thread_test

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
)

// channels returns the settings of a radio from the fastest to the slowest.
func channels() []lora.Config {
	var list []lora.Config
	for sf := lora.SF6; sf <= lora.SF12; sf++ {
		for _, bw := range []lora.Bandwidth{lora.BW125, lora.BW250, lora.BW500} {
			list = append(list, lora.Config{SpreadingFactor: sf, Bandwidth: bw})
		}
	}
	slices.SortFunc(list, func(a, b lora.Config) int { return cmp.Compare(a.Airtime(127), b.Airtime(127)) })
	return list
}

func TestTimingForBoards(t *testing.T) {
	for _, sf := range []lora.SpreadingFactor{lora.SF7, lora.SF8} {
		cfg := lora.Config{SpreadingFactor: sf, Bandwidth: lora.BW125}
		got, want := thread.TimingFor(cfg.Airtime), thread.TimingPymesh()
		want.SetSensitivity(cfg.Sensitivity())
		got.SetSensitivity(cfg.Sensitivity())
		if got != want {
			t.Errorf("%v: %+v is not Pymesh's", sf, got)
		}
	}
	if got := thread.TimingFor(lora.Config{SpreadingFactor: 13}.Airtime); got != thread.TimingPymesh() {
		t.Errorf("settings that are not valid: %+v is not Pymesh's", got)
	}
}

func TestTimingForGrows(t *testing.T) {
	last := reflect.ValueOf(thread.TimingFor(channels()[0].Airtime))
	for _, cfg := range channels() {
		now := reflect.ValueOf(thread.TimingFor(cfg.Airtime))
		for i := range now.NumField() {
			name := now.Type().Field(i).Name
			if !now.Field(i).CanInt() || name == "ReceiveSensitivity" {
				continue
			}
			if now.Field(i).Int() < last.Field(i).Int() {
				t.Errorf("%v %v: %s shrinks from %v to %v", cfg.SpreadingFactor, cfg.Bandwidth, name, last.Field(i), now.Field(i))
			}
			if now.Field(i).Type() != reflect.TypeFor[time.Duration]() && now.Field(i).Int() != last.Field(i).Int() {
				t.Errorf("%v %v: %s changes", cfg.SpreadingFactor, cfg.Bandwidth, name)
			}
		}
		last = now
	}
}

// TestSensitivity: what follows from the airtime comes near to what the radio's settings say, which for SF7 is what Pycom's radio tells.
func TestSensitivity(t *testing.T) {
	for _, cfg := range channels() {
		byAirtime := thread.TimingFor(cfg.Airtime)
		timing := byAirtime
		timing.SetSensitivity(cfg.Sensitivity())
		if d := timing.ReceiveSensitivity - byAirtime.ReceiveSensitivity; d < 0 || d > 2 {
			t.Errorf("%v %v: %d dBm, by the airtime %d", cfg.SpreadingFactor, cfg.Bandwidth, timing.ReceiveSensitivity, byAirtime.ReceiveSensitivity)
		}
		if boards := thread.TimingForBoards(cfg.Airtime); boards.ReceiveSensitivity != byAirtime.ReceiveSensitivity {
			t.Errorf("%v %v: %d dBm in a mesh with boards", cfg.SpreadingFactor, cfg.Bandwidth, boards.ReceiveSensitivity)
		}
	}
	if got := thread.TimingFor(lora.Config{}.Airtime).ReceiveSensitivity; got != thread.TimingPymesh().ReceiveSensitivity {
		t.Errorf("SF7: %d dBm", got)
	}
}

// TestTimingForFits checks the times against what must happen within them.
func TestTimingForFits(t *testing.T) {
	for _, cfg := range channels() {
		timing := thread.TimingFor(cfg.Airtime)
		frame, ack := cfg.Airtime(127), cfg.Airtime(5)
		check := func(what string, got, want time.Duration) {
			if got < want {
				t.Errorf("%v %v: %s is %v, need %v", cfg.SpreadingFactor, cfg.Bandwidth, what, got, want)
			}
		}
		// All leave the channel to an acknowledgement. Boards take up to 8 ms, a Linux host as long.
		check("AckWait", timing.AckWait, 3*ack/2)
		check("AckRoom", timing.AckRoom, 5*cfg.SymbolTime()+time.Millisecond)
		check("the widest backoff", timing.BackoffUnit<<timing.MaxBE, 2*frame)
		check("FragmentGap", timing.FragmentGap, 3*frame/2)
		check("ParentDecision", timing.ParentDecision, timing.ParentResponseRouters+4*frame)
		check("ParentRequestREEDs", timing.ParentRequestREEDs, timing.ParentResponseAll+8*frame)
		check("ChildIDRequest", timing.ChildIDRequest, timing.ParentDecision+timing.AckWait)
		check("ChildUpdateRetry", timing.ChildUpdateRetry, timing.AckWait+frame)
		check("CoAPAckTimeout", timing.CoAPAckTimeout, 3*(2*frame+ack))
		check("MPLInterval", timing.MPLInterval, 2*frame)
		check("MaxNeighborAge", timing.MaxNeighborAge, 3*timing.AdvertiseMax)
		check("NetworkIDTimeout", timing.NetworkIDTimeout, 3*timing.AdvertiseMax)
		if frame > 400*time.Millisecond {
			// 15 fragments, each of which waits until the one before is three hops away, over one more hop that loses one.
			check("Reassembly", timing.Reassembly, 15*(3*(frame+ack))+timing.AckWait)
		}
	}
}

// TestTimingForMeshes lets four nodes in a row form a mesh on each channel, and ping over three hops.
func TestTimingForMeshes(t *testing.T) {
	for _, cfg := range channels() {
		t.Run(fmt.Sprint(cfg.SpreadingFactor, cfg.Bandwidth), func(t *testing.T) {
			timing := thread.TimingFor(cfg.Airtime)
			patience := 15 * timing.LinkRequest / 10 // 15 s at SF8
			m := meshtest.Chain(t, lorasim.Options{Seed: 3, Config: cfg}, 4, func(c *thread.Config) { c.Timing = timing })
			began := m.Sim.Now()
			for _, n := range m.Nodes {
				n.Start()
			}
			m.Until(60*patience, "four routers in one mesh", func() bool { return m.OneMesh() && m.Count(thread.RoleRouter) == 3 })
			formed := m.Sim.Now().Sub(began)
			m.Run(4 * patience)
			before := m.Nodes[1].Antenna.Stats().Airtime
			m.Run(time.Hour)
			idle := m.Nodes[1].Antenna.Stats().Airtime - before
			if !m.OneMesh() {
				t.Fatalf("fell apart\n%s", m)
			}
			result := fmt.Sprintf("formed in %v, an idle router sends %v an hour", formed.Round(time.Second), idle.Round(100*time.Millisecond))
			for _, size := range []int{8, 200, 1000} {
				first, last := m.Nodes[0], m.Nodes[3]
				took, ok := first.Ping(last.MeshLocalEID(), size, 16*patience)
				if !ok { // the address query or a fragment was lost
					took, ok = first.Ping(last.MeshLocalEID(), size, 16*patience)
				}
				if !ok {
					t.Errorf("no answer to %d bytes\n%s", size, m)
				}
				result += fmt.Sprintf(", ping %d: %v", size, took.Round(time.Millisecond))
				m.Run(patience)
			}
			t.Log(result)
		})
	}
}
