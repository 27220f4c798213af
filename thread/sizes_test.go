package thread

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
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
		{"as large as there is room for", []byte{companyNone, 0, 31, 1, 0}, 1, true},
		{"full", []byte{companyNone, 0, 32, 1, 0}, 9, false},
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

// Partitions that are too large to become one leave each other alone: none of both sides searches, or advertises for the other's sake. A router that
// is all of its partition may be a child of any.
func TestTooLargeForOne(t *testing.T) {
	for _, tt := range []struct {
		name         string
		ours, theirs int
		gone         int // of each, with an ID still
		route        bool
		old          bool // it has been there for long
		fits         bool
	}{
		{"both at half", 16, 16, 0, true, true, true},
		{"some more", 20, 20, 0, true, false, true},
		{"some more, for long", 17, 16, 0, true, true, false},
		{"many more", 21, 20, 0, true, false, false},
		{"many more, of which some are gone", 21, 20, 1, true, false, true},
		{"full", 32, 2, 0, true, false, false},
		{"a single router, of a router", 1, 32, 0, true, true, true},
		{"a single router, of an end device", 1, 32, 0, false, true, false},
		{"theirs is a single router", 32, 1, 0, true, true, true},
	} {
		e := newFuzzEngine(t, 0)
		e.timing.AdvertiseQuiet, e.timing.AttachHold = 4*e.timing.AdvertiseMax, time.Second
		near := fuzzRouterRLOC.RouterID()
		ids := mle.RouterIDSet(0).Add(e.ownID())
		if tt.ours > 1 {
			ids = ids.Add(near)
		}
		ids = withMore(ids, tt.ours)
		e.neighbors.SetAssigned(ids, 2)
		e.neighbors.LearnRoutes(waysTo(ids.Remove(e.ownID()), tt.ours-1-tt.gone), near)
		a := advertised{leader: mle.LeaderData{PartitionID: 1, Weighting: 64}, companyReport: companyReport{quiet: true, routers: tt.theirs}}
		if tt.route {
			a.route = waysTo(withMore(0, tt.theirs), tt.theirs-tt.gone) // of the leader
		}
		for range 10 {
			e.Advance(e.Now.Add(e.routes.besideNew() / 9))
			if tt.old {
				e.routes.beside.hear(e.Now, 1, e.routes.besideNew())
			}
		}
		if got := e.routes.fits(a); got != tt.fits {
			t.Errorf("%s: %v", tt.name, got)
		}
		e.routes.told = time.Time{}
		e.routes.otherPartition(a, mleInfo{ext: ieee802154.ExtAddr{0x77}, fresh: true, news: true, rssi: -50})
		if told := !e.routes.told.IsZero(); !tt.fits && (told || !e.attach.idle()) {
			t.Errorf("%s: it answers", tt.name)
		}
		e.quiet.other = e.Now
		if !e.routes.fits(a) {
			t.Errorf("%s: with a board here, stock's order counts", tt.name)
		}
	}
}

// withMore adds IDs to a set until there are n.
func withMore(ids mle.RouterIDSet, n int) mle.RouterIDSet {
	for id := mle.RouterID(10); ids.Len() < n; id++ {
		ids = ids.Add(id)
	}
	return ids
}

// waysTo is what a router says that knows ways to the first n of some routers, whose IDs are assigned.
func waysTo(ids mle.RouterIDSet, n int) *mle.Route64 {
	route := &mle.Route64{Routers: ids}
	for id := range ids.All() {
		if n > 0 {
			route.Routes[id].Cost = 2
			n--
		}
	}
	return route
}

// A partition is new for a while, again when it was not heard for as long, and when too many others have been heard.
func TestBesides(t *testing.T) {
	const while = time.Minute
	var b besides
	now := time.Unix(1e9, 0)
	at := func(after time.Duration, id uint32, want bool) {
		t.Helper()
		now = now.Add(after)
		if got := b.isNew(now, id, while); got != want {
			t.Errorf("%d is new: %v", id, got)
		}
		b.hear(now, id, while)
	}
	at(0, 1, true)
	at(while/2, 1, true)
	at(while/2, 1, false)
	at(while/2, 1, false)
	at(while, 1, true)
	at(while/2, 1, true)
	at(while/2, 1, false)
	for id := range uint32(maxBesides) {
		at(time.Second, 2+id, true)
	}
	at(time.Second, 1, true)
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

// A router that hears its leader in another partition knows that this one has none any more, and says so. What is not fresh may be old.
func TestLeaderLeft(t *testing.T) {
	for _, tt := range []struct {
		name  string
		role  uint8
		ext   ieee802154.ExtAddr
		fresh bool
		lost  bool
	}{
		{"the leader", 0, fuzzRouter, true, true},
		{"a recording of it", 0, fuzzRouter, false, false},
		{"somebody else", 0, ieee802154.ExtAddr{0x77}, true, false},
		{"another one, heard by the leader", 1, fuzzRouter, true, false},
		{"the leader, heard by a child", 2, fuzzRouter, true, false},
	} {
		e := newFuzzEngine(t, tt.role)
		e.timing.AdvertiseQuiet = 4 * e.timing.AdvertiseMax
		e.quiet.rare = true
		e.neighbors.Routers.Get(fuzzRouterRLOC.RouterID()).Ext = fuzzRouter
		a := advertised{leader: mle.LeaderData{PartitionID: 1, Weighting: 64}, companyReport: companyReport{quiet: true, routers: 31}}
		e.routes.otherPartition(a, mleInfo{ext: tt.ext, fresh: tt.fresh, news: true, rssi: -50})
		if e.quiet.lost != tt.lost || e.routes.hearsLeader() == tt.lost {
			t.Errorf("%s: lost %v, hears it %v", tt.name, e.quiet.lost, e.routes.hearsLeader())
		}
	}
}

// A router that only shortens ways stays one for a while, unless router IDs are few.
func TestShortenerStays(t *testing.T) {
	for _, tt := range []struct {
		routers int
		spare   bool
	}{{20, false}, {fewIDs, true}} {
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
		e.drop(&e.neighbors.Children.ByExt(fuzzChild).Neighbor)
		e.selection.stays = e.Now.Add(shortenerStays)
		if got := e.selection.spare(); got != tt.spare {
			t.Errorf("%d routers: %v", tt.routers, got)
		}
		e.Advance(e.selection.stays)
		if !e.selection.spare() {
			t.Errorf("%d routers: still needed", tt.routers)
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

// A router that has gone into a better partition as a child says nothing of that while it has children and asks for its router ID: they would
// look for another parent. If it does not get one, it does.
func TestChildrenComeAlong(t *testing.T) {
	for _, children := range []bool{false, true} {
		e := newFuzzEngine(t, 2)
		e.timing.AttachHold, e.timing.AdvertiseQuiet = time.Second, 4*e.timing.AdvertiseMax
		if children {
			e.neighbors.AddChild(fuzzChild, neighbors.Valid).RLOC16 = mle.RouterRLOC16(9) | 1
		}
		e.selection.previousID, e.selection.partition = 9, e.leader.PartitionID+1
		e.selection.childStarted(attachBetter)
		if e.routes.advertise.Running() == children || e.selection.asking() != children {
			t.Errorf("children: %v, advertises: %v, asks: %v", children, e.routes.advertise.Running(), e.selection.asking())
		}
		if !children {
			continue
		}
		m := coap.Message{Code: coap.Changed, Payload: tmf.AppendStatus(nil, tmf.StatusNoAddressAvailable)}
		ev := tmfEvent{Message: m}
		ev.Tag.id = e.selection.open
		if err := e.selection.handleAnswer(ev); err != nil || !e.routes.advertise.Running() || e.neighbors.Children.HasAny() {
			t.Errorf("without a router ID: advertises: %v, %v", e.routes.advertise.Running(), err)
		}
	}
}

// A search for a better partition that waits asks a router there rather than an end device, and ends where the parent goes there.
func TestSeekOrder(t *testing.T) {
	e := newFuzzEngine(t, 2) // a child of fuzzRouter
	e.timing.AttachHold, e.timing.SearchJitter = time.Second, time.Hour
	ad := advertised{leader: mle.LeaderData{PartitionID: e.leader.PartitionID + 1}}
	one, router := ieee802154.ExtAddr{0x77}, ieee802154.ExtAddr{0x78}
	e.attach.seek(ad, mleInfo{ext: one, news: true})
	if e.attach.state != attachStart || e.attach.heard != one {
		t.Fatalf("%v, asks %v", e.attach.state, e.attach.heard)
	}
	ad.route = new(mle.Route64)
	e.attach.seek(ad, mleInfo{ext: router, news: true})
	e.attach.seek(ad, mleInfo{ext: one, news: true})
	if e.attach.heard != router {
		t.Errorf("asks %v", e.attach.heard)
	}
	ad.source = e.neighbors.Parent.RLOC16
	if err := e.routes.neighborAdvertised(ad, mleInfo{ext: fuzzRouter}); err != nil || !e.attach.idle() || e.leader.PartitionID != ad.leader.PartitionID {
		t.Errorf("%v, idle %v, partition %d", err, e.attach.idle(), e.leader.PartitionID)
	}
}
