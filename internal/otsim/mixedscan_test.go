//go:build unix

package otsim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim"
	"github.com/gopymesh/pymesh/internal/otsim/wire"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
	"github.com/gopymesh/pymesh/thread/topology"
)

// scan scans with an engine, and returns what it has found.
func (n *engineNode) scan(t *testing.T, o thread.ScanOptions) (results []thread.ScanResult, scanned meshcop.ChannelMask) {
	t.Helper()
	over := false
	err := n.Scan(n.c.Now(), o, func(r thread.ScanResult) { results = append(results, r) }, func(channels meshcop.ChannelMask) {
		over, scanned = true, channels
	})
	if err != nil {
		t.Fatal(err)
	}
	if !n.c.RunUntil(10*time.Minute, func() bool { return over }) {
		t.Fatal("the scan does not end")
	}
	return results, scanned
}

// twoNetworks returns a node of ours that leads a network, and one of theirs that leads another.
func twoNetworks(t *testing.T) (c *otsim.Controller, ours *engineNode, theirs processNode) {
	c = otsim.NewController(t)
	c.Program()
	ours = startEngineWith(t, c, 1, peersTiming(), func(c *thread.Config) {
		c.MultiChannel, c.PANID, c.NetworkName, c.ExtPANID = true, 0xbeef, "pymesh", [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	})
	theirs = processNode{startPeer(c, 2)}
	await(t, c, ours, 60*time.Second, "leader")
	await(t, c, theirs, 60*time.Second, "leader")
	return c, ours, theirs
}

// TestMixedScan: each finds the other's network, by its beacon and by MLE Discovery.
func TestMixedScan(t *testing.T) {
	c, ours, theirs := twoNetworks(t)
	later := isLater(theirs)
	ext := theirs.Command("extaddr")[0]
	for _, kind := range []thread.ScanKind{thread.ScanActive, thread.ScanDiscovery} {
		results, scanned := ours.scan(t, thread.ScanOptions{Kind: kind})
		if len(results) != 1 || scanned != wire.Channels {
			t.Fatalf("kind %d: %+v on %x", kind, results, scanned)
		}
		r := results[0]
		if kind == thread.ScanActive && later { // which tells nothing in its beacons
			r.NetworkName, r.ExtPANID, r.Version = "OpenThread", thread.DefaultExtPANID, 2
		}
		if fmt.Sprintf("%x", r.ExtAddr[:]) != ext || r.PANID != 0x1234 || r.NetworkName != "OpenThread" || r.ExtPANID != thread.DefaultExtPANID ||
			r.Channel != 11 || r.RSSI != otsim.RSSI || r.Version < 2 {
			t.Errorf("kind %d: %+v, want %s", kind, r, ext)
		}
	}
	for _, command := range []string{"scan 11", "discover 11"} {
		theirs.Lines()
		theirs.Send("%s", command)
		row, ok := theirs.Await(ours.ExtAddr().String(), 10*time.Minute)
		if !ok || !strings.Contains(row, "beef") || !(later && command == "scan 11") && !strings.Contains(row, "pymesh") {
			t.Errorf("%s: %q", command, row)
		}
		c.Run(10 * time.Second)
	}
	if r, _ := ours.scan(t, thread.ScanOptions{Kind: thread.ScanDiscovery, Joiner: true}); len(r) > 0 {
		t.Errorf("a network that lets no joiners in has answered: %+v", r)
	}
}

// isLater reports whether a node is OpenThread of today.
func isLater(n processNode) bool {
	_, err := n.TryCommand("masterkey")
	return err != nil
}

// TestMixedDiagnostics: each asks the other, one by one and all.
func TestMixedDiagnostics(t *testing.T) {
	c, nodes := mixed(t, "or")
	ours, theirs := nodes[0].(*engineNode), nodes[1].(processNode)
	c.Run(60 * time.Second)
	later := isLater(theirs)
	var answers []thread.Diagnostic
	types := []tmf.DiagnosticType{0, 1, 2, 4, 5, 6, 7, 8, 9, 16, 17}
	for _, to := range []string{theirs.rloc().String(), theirs.eid().String(), "ff03::1"} {
		answers = nil
		id, err := ours.GetDiagnostics(c.Now(), mustAddr(to), types, func(d thread.Diagnostic) { answers = append(answers, d) })
		if err != nil {
			t.Fatal(err)
		}
		c.Run(30 * time.Second)
		ours.CancelDiagnostics(id)
		if len(answers) != 1 || answers[0].Err != nil {
			t.Fatalf("%s: %v", to, answers)
		}
		d := answers[0].TLVs
		ext, _ := d.ExtendedMACAddress()
		route, err := d.Route64()
		if fmt.Sprintf("%x", ext[:]) != theirs.Command("extaddr")[0] || err != nil || route.Routes[ours.RLOC16().RouterID()].LinkQualityIn == 0 {
			t.Errorf("%s: %v %v %v", to, ext, route.Routers, err)
		}
		var got []tmf.DiagnosticType
		for typ := range d.All() {
			if typ.Known() { // today's OpenThread marks its answers
				got = append(got, typ)
			}
		}
		if !slices.Equal(got, types) {
			t.Errorf("%s: types %v", to, got)
		}
	}
	for _, to := range []string{ours.rloc().StringExpanded(), "ff03:0:0:0:0:0:0:1"} {
		theirs.Lines()
		theirs.Send("networkdiagnostic get %s 0 1 2", to)
		answer, ok := theirs.Await("DIAG_GET.rsp", 30*time.Second)
		c.Run(10 * time.Second) // for so long today's OpenThread takes no other command
		if !ok {
			t.Fatalf("they have no answer from %s: %+v\n%q", to, ours.Counters(), theirs.Lines())
		}
		want := fmt.Sprintf("%x", ours.OwnDiagnostics(0, 1, 2))
		if !strings.Contains(answer, want) && !later {
			t.Errorf("%s: %s, want %s", to, answer, want)
		}
	}
	before := ours.counted(t)
	theirs.Command("networkdiagnostic reset %s 9", ours.rloc().StringExpanded())
	c.Run(10 * time.Second)
	if after := ours.counted(t); after >= before {
		t.Errorf("their reset: %d before, %d after", before, after)
	}
}

func (n *engineNode) counted(t *testing.T) uint32 {
	c, err := n.OwnDiagnostics(tmf.DiagnosticMACCounters).MACCounters()
	if err != nil {
		t.Fatal(err)
	}
	return c.InBroadcast + c.OutBroadcast
}

// TestMixedSurvey: their commissioner has our node measure, look for a PAN ID, and announce.
func TestMixedSurvey(t *testing.T) {
	c := otsim.NewController(t)
	c.Program()
	m := makers(t, c)
	theirs := m['r'](1).(processNode)
	await(t, c, theirs, 60*time.Second, "leader")
	for _, multi := range []bool{true, false} {
		t.Run(fmt.Sprintf("several channels %v", multi), func(t *testing.T) {
			id := 2
			if !multi {
				id = 3
			}
			ours := startEngineWith(t, c, id, peersTiming(), func(c *thread.Config) { c.MultiChannel = multi })
			await(t, c, ours, 400*time.Second, "router")
			c.Run(60 * time.Second)
			if _, err := theirs.TryCommand("commissioner start"); err != nil && id == 2 {
				t.Skip("they have no commissioner:", err)
			}
			c.Run(5 * time.Second)
			survey(t, c, theirs, ours, multi)
		})
	}
}

func survey(t *testing.T, c *otsim.Controller, theirs processNode, ours *engineNode, multi bool) {
	later := isLater(theirs)
	theirs.Lines()
	theirs.Command("commissioner energy 0x50800 2 32 1000 %s", ours.rloc().StringExpanded())
	report, ok := theirs.Await("Energy:", time.Minute)
	want := "Energy: 00050800 " // channels 11, 16 and 18, twice; the other two are quiet
	fields := 2 + 6
	if !multi {
		want, fields = "Energy: 00000800 ", 2+2
	}
	if !ok || !strings.Contains(report, want) || len(strings.Fields(report[strings.Index(report, "Energy"):])) != fields {
		t.Errorf("%q, want %q and %d fields", report, want, fields)
	}
	theirs.Command("commissioner panid 0x1234 0xffffffff %s", ours.rloc().StringExpanded())
	if line, ok := theirs.Await("Conflict: 1234, 00000800", time.Minute); !ok && !later {
		t.Errorf("no conflict: %q", line)
	}
	before := len(c.Sent())
	theirs.Command("commissioner announce 0x1000 2 1000 %s", ours.rloc().StringExpanded())
	c.Run(10 * time.Second)
	announces := 0
	for _, s := range c.Sent()[before:] {
		// The frame control field, the broadcast PAN and address, then the PAN; secured with a key source.
		if s.From == ours.id && len(s.PSDU) > 20 && s.PSDU[0]&0x08 != 0 && s.PSDU[3] == 0xff && s.PSDU[4] == 0xff {
			announces++
		}
	}
	if announces != 2 {
		t.Errorf("%d announces", announces)
	}
}

// TestMixedTopology: our node walks a chain of nodes of both kinds, and finds the way to its end.
func TestMixedTopology(t *testing.T) {
	for _, order := range []string{"orro", "orrr", "roor"} {
		t.Run(order, func(t *testing.T) {
			c := otsim.NewController(t)
			c.Program()
			m := makers(t, c)
			c.SetFilter(otsim.Chain(1, 2, 3, 4))
			var nodes []mixedNode
			for i := range order {
				n := m[order[i]](i + 1)
				if i == 0 {
					await(t, c, n, 60*time.Second, "leader")
				} else {
					await(t, c, n, 400*time.Second, "router")
				}
				nodes = append(nodes, n)
			}
			c.Run(100 * time.Second)
			first := slices.IndexFunc(nodes, func(n mixedNode) bool { _, ours := n.(*engineNode); return ours })
			ours := nodes[first].(*engineNode)
			got := ours.walk()
			if len(got.Routers) != 4 || len(got.Links) != 3 {
				t.Fatalf("%+v", got)
			}
			for i, n := range nodes {
				rloc, _ := mle.LocatorOf(n.rloc())
				r, ok := got.Find(rloc)
				if !ok || !r.Answered || !slices.Contains(r.Addresses, n.eid()) || r.Leader != (i == 0) {
					t.Errorf("node %d: %+v, %v", i+1, r, ok)
				}
			}
			for _, l := range got.Links {
				if l.AtoB.Quality != 3 || l.BtoA.Quality != 3 {
					t.Errorf("%+v", l)
				}
			}
			to, _ := mle.LocatorOf(nodes[3].rloc())
			way, err := ours.trace(to.RouterID())
			var want []mle.RouterID
			for _, n := range nodes[first+1:] {
				rloc, _ := mle.LocatorOf(n.rloc())
				want = append(want, rloc.RouterID())
			}
			if err != nil || !slices.Equal(way, want) {
				t.Errorf("way %v, %v, want %v", way, err, want)
			}
		})
	}
}

// ask asks a node and waits for its answer.
func (n *engineNode) ask(rloc mle.RLOC16, types ...tmf.DiagnosticType) (tmf.Diagnostics, bool) {
	if rloc == n.RLOC16() {
		return n.OwnDiagnostics(types...), true
	}
	var answers []thread.Diagnostic
	id, err := n.GetDiagnostics(n.c.Now(), rloc.Addr(thread.DefaultMeshLocalPrefix), types, func(d thread.Diagnostic) { answers = append(answers, d) })
	if err != nil {
		return nil, false
	}
	n.c.RunUntil(time.Minute, func() bool { return len(answers) > 0 })
	n.CancelDiagnostics(id)
	return slices.Concat([]thread.Diagnostic{{}}, answers)[len(answers)].TLVs, len(answers) > 0
}

// walk walks the mesh.
func (n *engineNode) walk() topology.Topology {
	w := topology.New(topology.Options{})
	w.Seed(n.RLOC16(), n.c.Now())
	for {
		rloc, ok := w.Next()
		if !ok {
			return w.Result(n.c.Now())
		}
		if d, ok := n.ask(rloc, topology.Types()...); ok {
			w.Answer(n.c.Now(), rloc, d)
		}
	}
}

// trace finds the way to a router.
func (n *engineNode) trace(to mle.RouterID) ([]mle.RouterID, error) {
	t := topology.NewTracer(n.RLOC16().RouterID(), to)
	for {
		id, done, err := t.Step()
		if done || err != nil {
			return t.Way(), err
		}
		d, _ := n.ask(id.RLOC16(), tmf.DiagnosticRoute64)
		if route, err := d.Route64(); err == nil {
			t.Answer(id, route)
		} else {
			t.Silent(id)
		}
	}
}
