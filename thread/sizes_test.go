package thread

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Where all have this engine, the larger of two partitions is the better one, if it is twice as large. Else their IDs decide, as ever.
func TestBetterBySize(t *testing.T) {
	for _, tt := range []struct {
		name      string
		company   []byte
		partition uint32
		better    bool
	}{
		{"twice as large", []byte{companyNone, 0, 6, 1, 0}, 1, true},
		{"a little larger", []byte{companyNone, 0, 5, 1, 0}, 1, false},
		{"as large, with a higher ID", []byte{companyNone, 0, 3, 1, 0}, 9, true},
		{"half as large, with a higher ID", []byte{companyNone, 0, 1, 1, 0}, 9, false},
		{"with a board in it", []byte{3, 0, 6, 1, 0}, 1, false},
		{"with a board in it, and a higher ID", []byte{3, 0, 1, 1, 0}, 9, true},
		{"it does not say how large", []byte{companyNone}, 9, true},
		{"it says nothing", nil, 9, true},
	} {
		e := newFuzzEngine(t, 0) // a router of partition 7, with three routers
		e.timing.AdvertiseQuiet = 4 * e.timing.AdvertiseMax
		b := mle.AppendCommand(nil, mle.Advertisement)
		if tt.company != nil {
			b = mle.AppendTLV(b, mle.TLVCompany, tt.company)
		}
		m, err := mle.ParseMessage(b)
		if err != nil {
			t.Fatal(err)
		}
		a := advertised{leader: mle.LeaderData{PartitionID: tt.partition, Weighting: 64}, companyReport: e.quiet.report(m)}
		if got := e.routes.better(a); got != tt.better {
			t.Errorf("%s: %v", tt.name, got)
		}
		if e.quiet.other = e.Now; e.routes.better(a) != (tt.partition > 7) {
			t.Errorf("%s: with a board here, not the ID decides", tt.name)
		}
	}
}

// In a large mesh a router steps down that the others cover, with children only if each of them hears another router and routers are many.
func TestSparing(t *testing.T) {
	for _, tt := range []struct {
		name    string
		routers int
		hears   int // -1 for no child
		spare   bool
	}{
		{"alone in a small mesh", 10, -1, false},
		{"alone in a large mesh", 20, -1, true},
		{"with a child", 20, 2, false},
		{"with a child where routers are many", 30, 2, true},
		{"with a child that hears nobody else", 30, 1, false},
	} {
		e := newFuzzEngine(t, 0)
		e.timing.RouterNeighbors = 3
		ids := e.neighbors.Routers.Assigned()
		for id := mle.RouterID(10); ids.Len() < tt.routers; id++ {
			ids = ids.Add(id)
		}
		e.neighbors.SetAssigned(ids, 2)
		leader := e.neighbors.Routers.Get(fuzzRouterRLOC.RouterID())
		leader.Ext, leader.QualityOut = fuzzRouter, 3
		leader.Link.Reset(&e.scale, -50)
		e.neighbors.Change(&leader.Neighbor, neighbors.Valid)
		if child := e.neighbors.Children.ByExt(fuzzChild); tt.hears < 0 {
			e.drop(&child.Neighbor)
		} else {
			child.Hears = tt.hears
		}
		if got := e.selection.spare(); got != tt.spare {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// A parent that has stepped down says so in its next Advertisement, and its children look for another one.
func TestParentStepsDown(t *testing.T) {
	e := newFuzzEngine(t, 2) // a child of fuzzRouter
	b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.Advertisement), mle.RouterRLOC16(9)|3)
	m, err := mle.ParseMessage(mle.AppendLeaderData(b, e.leader))
	if err != nil {
		t.Fatal(err)
	}
	info := mleInfo{ext: fuzzRouter, src: neighbors.LinkLocal(fuzzRouter), fresh: true, news: true, rssi: -50}
	if err := e.routes.handleAdvertisement(m, info); err != nil || e.role != RoleDetached {
		t.Errorf("%v, %v", e.role, err)
	}
}

// A child says how many routers it hears.
func TestChildHears(t *testing.T) {
	e := newFuzzEngine(t, 0)
	e.timing.AdvertiseQuiet = 4 * e.timing.AdvertiseMax
	b := mle.AppendTLV(mle.AppendCommand(nil, mle.Advertisement), mle.TLVCompany, []byte{companyNone, 0, 3, 2, 0})
	m, err := mle.ParseMessage(mle.AppendLeaderData(mle.AppendSourceAddress(b, fuzzChildRLOC), e.leader))
	if err != nil {
		t.Fatal(err)
	}
	info := mleInfo{ext: fuzzChild, src: neighbors.LinkLocal(fuzzChild), fresh: true, news: true, rssi: -50}
	if err := e.routes.handleAdvertisement(m, info); err != nil || e.neighbors.Children.ByExt(fuzzChild).Hears != 2 {
		t.Errorf("%+v, %v", e.neighbors.Children.ByExt(fuzzChild), err)
	}
}

// In a mesh that has some routers an end device stays one if it hears nobody but its parent.
func TestNobodyToServe(t *testing.T) {
	stranger := mleInfo{ext: ieee802154.ExtAddr{0x77}, rssi: -50}
	parent := mleInfo{ext: fuzzRouter, rssi: -50}
	faint := mleInfo{ext: ieee802154.ExtAddr{0x77}, rssi: -99}
	for _, tt := range []struct {
		name    string
		routers int
		heard   []mleInfo
		ago     time.Duration
		stays   bool
	}{
		{"nobody", 5, nil, 0, true},
		{"nobody, in a small mesh", 3, nil, 0, false},
		{"its parent", 5, []mleInfo{parent}, 0, true},
		{"another one", 5, []mleInfo{stranger}, 0, false},
		{"another one, and its parent", 5, []mleInfo{stranger, parent, parent}, 0, false},
		{"another one, faintly", 5, []mleInfo{faint}, 0, true},
		{"another one, long ago", 5, []mleInfo{stranger}, time.Hour, true},
	} {
		e := newFuzzEngine(t, 2)
		e.timing.RouterNeighbors = 3
		ids := e.neighbors.Routers.Assigned()
		for id := mle.RouterID(10); ids.Len() < tt.routers; id++ {
			ids = ids.Add(id)
		}
		e.neighbors.SetAssigned(ids, 2)
		for _, info := range tt.heard {
			e.quiet.beside(info)
		}
		e.Advance(e.Now.Add(tt.ago))
		if got := e.selection.crowded(); got != tt.stays {
			t.Errorf("%s: stays an end device: %v", tt.name, got)
		}
	}
}
