package pymesh_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/topology"
)

// walk returns the topology as a node sees it.
func (m *mesh) walk(n *pymesh.Node, o pymesh.TopologyOptions) topology.Topology {
	m.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	t, err := n.Topology(ctx, o)
	if err != nil {
		m.Fatalf("%v: %v", n, err)
	}
	return t
}

// TestTopology walks a chain of three routers with an end device at its end, over LoRa, from both ends.
func TestTopology(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		nodes := m.chain(3)
		r := m.radio()
		for _, far := range m.radios[:2] {
			m.air.CutLink(far, r)
		}
		end := m.start(r, pymesh.WithMode(pymesh.MinimalEndDevice))
		m.wait(end)
		time.Sleep(5 * time.Minute)
		rloc := func(n *pymesh.Node) mle.RLOC16 { return mle.RLOC16(n.RLOC16()) }
		for _, from := range []*pymesh.Node{nodes[0], end} {
			var steps int
			start := time.Now()
			got := m.walk(from, pymesh.TopologyOptions{Children: true, Progress: func(asked, left int, next uint16) { steps++ }})
			if len(got.Routers) != 3 || len(got.Children) != 1 || len(got.Links) != 3 || steps != 3 {
				t.Fatalf("from %v: %d steps\n%+v", from, steps, got)
			}
			if pace := time.Since(start); pace < 3*time.Second {
				t.Errorf("%d questions within %v", steps, pace)
			}
			for _, n := range append(nodes, end) {
				g, ok := got.Find(rloc(n))
				if !ok || !g.Answered || g.Age < 0 || g.Age > time.Minute || g.MAC.String() != n.MAC().String() || len(g.Addresses) == 0 {
					t.Errorf("%v: %+v, %v", n, g, ok)
				}
			}
			for _, l := range got.Links {
				if l.AtoB.Quality < 1 || l.BtoA.Quality < 1 && rloc(end) != l.B {
					t.Errorf("link %+v", l)
				}
			}
			l := got.Links[0]
			if from == nodes[0] && l.AtoB.RSSI == topology.RSSIUnknown && l.BtoA.RSSI == topology.RSSIUnknown &&
				got.Links[1].AtoB.RSSI == topology.RSSIUnknown && got.Links[1].BtoA.RSSI == topology.RSSIUnknown {
				t.Errorf("no strength is known: %+v", got.Links)
			}
			m.formats(got)
		}

		// One goes: it stays in the result, with its age.
		before := m.walk(nodes[0], pymesh.TopologyOptions{})
		lost := rloc(nodes[2])
		m.air.CutLink(m.radios[1], m.radios[2])
		time.Sleep(10 * time.Second)
		after := m.walk(nodes[0], pymesh.TopologyOptions{Previous: &before})
		g, ok := after.Find(lost)
		if !ok || g.Answered || !g.Asked || g.Age < 10*time.Second || g.MAC.String() != nodes[2].MAC().String() {
			t.Errorf("lost router: %+v, %v", g, ok)
		}
	})
}

// formats writes a topology in all forms.
func (m *mesh) formats(t topology.Topology) {
	m.Helper()
	var text, dot bytes.Buffer
	if err := errors.Join(t.WriteText(&text), t.WriteDOT(&dot)); err != nil {
		m.Error(err)
	}
	b, err := json.Marshal(t)
	if err != nil || !json.Valid(b) {
		m.Errorf("%s, %v", b, err)
	}
	for _, n := range t.Routers {
		for _, form := range []string{text.String(), dot.String(), string(b)} {
			if !strings.Contains(form, n.RLOC16.String()) || !strings.Contains(form, n.MAC.String()) {
				m.Errorf("%v is missing in\n%s", n.RLOC16, form)
			}
		}
	}
}

// TestTrace follows the way through a chain of four, and to a child at its end.
func TestTrace(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		nodes := m.chain(4)
		time.Sleep(5 * time.Minute)
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		hops, err := nodes[0].Trace(ctx, nodes[3].MeshLocalEID())
		if err != nil || len(hops) != 3 {
			t.Fatal(hops, err)
		}
		for i, h := range hops {
			n := nodes[i+1]
			if pymesh.RLOC16(h.RLOC16) != n.RLOC16() || h.MAC.String() != n.MAC().String() || h.RTT <= 0 && i != 0 || h.Forth.Quality < 1 || h.Back.Quality < 1 {
				t.Errorf("hop %d: %+v, want %v", i, h, n)
			}
			if known := h.Back.RSSI != topology.RSSIUnknown; known != (i == 0) {
				t.Errorf("hop %d: strength %d", i, h.Back.RSSI)
			}
		}
		if hops, err := nodes[0].Trace(ctx, nodes[0].MeshLocalEID()); err != nil || len(hops) != 0 {
			t.Error("to itself:", hops, err)
		}
		for _, addr := range []string{"ff03::1", "2001:db8::1", "192.0.2.1"} {
			if hops, err := nodes[0].Trace(ctx, netip.MustParseAddr(addr)); err == nil {
				t.Error(addr, hops)
			}
		}
		short, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := nodes[0].Topology(short, pymesh.TopologyOptions{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error("a walk that is broken off:", err)
		}
	})
}

// TestTopologyErrors: of a node that is in no mesh, or closed.
func TestTopologyErrors(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.start(m.radio())
		if _, err := n.Topology(context.Background(), pymesh.TopologyOptions{}); !errors.Is(err, thread.ErrDetached) {
			t.Error(err)
		}
		if _, err := n.Trace(context.Background(), netip.MustParseAddr("fd00::1")); !errors.Is(err, thread.ErrDetached) {
			t.Error(err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Topology(context.Background(), pymesh.TopologyOptions{}); !errors.Is(err, pymesh.ErrClosed) {
			t.Error(err)
		}
		if _, err := n.Trace(context.Background(), netip.MustParseAddr("fd00::1")); !errors.Is(err, pymesh.ErrClosed) {
			t.Error(err)
		}
	})
}
