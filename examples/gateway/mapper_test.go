package main

import (
	"context"
	"net/netip"
	"testing"
	"time"
)

// TestNoLooking: without a budget the mesh is not asked, and what the node knows by itself is on the map all the same.
func TestNoLooking(t *testing.T) {
	aloneAs(t, 3, func(c *config) { c.Map.Budget = 0 }, func(t *testing.T, _ context.Context, g *gateway, _ *field) {
		time.Sleep(3 * time.Hour)
		if g.last != nil {
			t.Error("the mesh was asked")
		}
		neighbors := map[string]bool{}
		for _, n := range g.node.Neighbors() {
			neighbors[macText(n.MAC)] = true
		}
		s := g.view.Snapshot()
		for _, n := range s.Nodes {
			delete(neighbors, n.ID)
		}
		if len(neighbors) > 0 || len(s.Nodes) < 2 || len(s.Links) == 0 {
			t.Errorf("%v are not on the map: %+v, %+v", neighbors, s.Nodes, s.Links)
		}
	})
}

// TestLooking: what the mesh is asked takes no more of the air than the budget.
func TestLooking(t *testing.T) {
	const hours, perHour = 4, 4 * time.Second
	sent := map[time.Duration]time.Duration{}
	for _, budget := range []time.Duration{0, perHour} {
		aloneAs(t, 3, func(c *config) { c.Map.Budget = duration(budget) }, func(t *testing.T, _ context.Context, g *gateway, _ *field) {
			time.Sleep(hours * time.Hour)
			c := g.node.Counters()
			for _, class := range []string{"AirtimeAcks", "AirtimeData", "AirtimeOther"} {
				sent[budget] += time.Duration(c[class]) * time.Millisecond
			}
			if (g.last != nil) != (budget > 0) {
				t.Errorf("asked with a budget of %v: %v", budget, g.last != nil)
			}
		})
	}
	if more := sent[perHour] - sent[0]; more > hours*perHour || more <= 0 {
		t.Errorf("%v in %d hours, %v without looking: the budget is %v an hour", sent[perHour], hours, sent[0], perHour)
	}
	t.Logf("looking took %v in %d hours", sent[perHour]-sent[0], hours)
}

// TestTalkers: who has spoken is remembered for as many as there is room for, the latest of them.
func TestTalkers(t *testing.T) {
	alone(t, 1, func(t *testing.T, _ context.Context, g *gateway, _ *field) {
		addr := func(i int) netip.Addr { return netip.AddrFrom16([16]byte{0: 0xfd, 14: byte(i >> 8), 15: byte(i)}) }
		for i := range maxAddrs + 100 {
			time.Sleep(time.Millisecond)
			g.nodeOf(addr(i))
		}
		last := g.nodeOf(addr(maxAddrs + 99))
		g.mapper.mu.Lock()
		defer g.mapper.mu.Unlock()
		if _, ok := g.talked[last]; len(g.talked) > maxAddrs || !ok {
			t.Errorf("%d, the last is known: %v", len(g.talked), ok)
		}
	})
}
