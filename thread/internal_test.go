package thread

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

func newTestEngine(t testing.TB) *Engine {
	t.Helper()
	e, err := New(Config{ExtAddr: ieee802154.ExtAddr{1}, Rand: rand.NewChaCha8([32]byte{}), Timing: TimingIEEE802154()})
	if err != nil {
		t.Fatal(err)
	}
	e.now = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	return e
}

// TestLinkQuality has thresholds at 2, 10 and 20 dB, and 2 dB of hysteresis on the way up.
func TestLinkQuality(t *testing.T) {
	for _, tt := range []struct {
		margin   uint8
		previous int
		want     uint8
	}{
		{0, -1, 0}, {2, -1, 0}, {3, -1, 1}, {10, -1, 1}, {11, -1, 2}, {20, -1, 2}, {21, -1, 3}, {255, -1, 3},
		{4, 0, 0}, {5, 0, 1}, {3, 1, 1}, {2, 1, 0},
		{12, 1, 1}, {13, 1, 2}, {11, 2, 2}, {10, 2, 1},
		{22, 2, 2}, {23, 2, 3}, {21, 3, 3}, {20, 3, 2}, {22, 0, 2}, {0, 3, 0},
	} {
		if got := linkQuality(tt.margin, tt.previous); got != tt.want {
			t.Errorf("margin %d after quality %d: %d, want %d", tt.margin, tt.previous, got, tt.want)
		}
	}
	var l linkInfo
	l.reset(-100, -50)
	for range 100 {
		l.add(-100, -92) // 8 dB
	}
	if l.quality != 1 || l.rssi() > -91 || l.rssi() < -92 || l.last != -92 {
		t.Errorf("%+v, %d dBm", l, l.rssi())
	}
	l.add(-100, rssiUnknown)
	if l.last != -92 {
		t.Error("an unknown strength counts")
	}
	l.reset(-100, rssiUnknown)
	if l.quality != 0 || l.rssi() != rssiUnknown {
		t.Errorf("%+v, %d dBm", l, l.rssi())
	}
	l.add(-128, 20)
	if l.rssi() != 0 || l.quality != 3 {
		t.Errorf("above 0 dBm: %d dBm", l.rssi())
	}
}

func TestComparePartitions(t *testing.T) {
	type p struct {
		single bool
		mle.LeaderData
	}
	data := func(weight uint8, id uint32) mle.LeaderData {
		return mle.LeaderData{Weighting: weight, PartitionID: id}
	}
	// From the worst to the best.
	order := []p{
		{true, data(1, 5)}, {true, data(64, 1)}, {true, data(64, 0xffffffff)}, {true, data(255, 1)},
		{false, data(1, 5)}, {false, data(64, 1)}, {false, data(64, 0xffffffff)}, {false, data(255, 1)},
	}
	for i, a := range order {
		for k, b := range order {
			got := comparePartitions(a.single, a.LeaderData, b.single, b.LeaderData)
			if (got > 0) != (i > k) || (got < 0) != (i < k) {
				t.Errorf("%+v against %+v: %d", a, b, got)
			}
		}
	}
}

// TestRouterIDs assigns wanted or free router IDs, none within the reuse delay, and 32 at most.
func TestRouterIDs(t *testing.T) {
	e := newTestEngine(t)
	e.role, e.up = RoleLeader, true
	e.routing.id = 0
	e.assignRouterID(0)
	sequence := e.routers.sequence
	id, ok := e.chooseRouterID(7)
	if !ok || id != 7 {
		t.Fatalf("%v, %v", id, ok)
	}
	e.assignRouterID(7)
	if e.routers.sequence != sequence+1 {
		t.Error("the sequence stands still")
	}
	if id, _ := e.chooseRouterID(7); id == 7 {
		t.Error("assigned twice")
	}
	e.releaseRouterID(7)
	if e.routers.isAssigned(7) || e.routers.sequence != sequence+2 {
		t.Error("not released")
	}
	e.releaseRouterID(0)
	if !e.routers.isAssigned(0) {
		t.Error("the leader's own ID released")
	}
	e.now = e.now.Add(e.timing.RouterIDReuse - time.Millisecond)
	if id, _ := e.chooseRouterID(7); id == 7 {
		t.Error("assigned within the reuse delay")
	}
	e.now = e.now.Add(time.Millisecond)
	if id, _ := e.chooseRouterID(7); id != 7 {
		t.Errorf("%v after the reuse delay", id)
	}
	for range maxRouters - 1 {
		id, ok := e.chooseRouterID(mle.InvalidRouterID)
		if !ok {
			t.Fatal("none free")
		}
		e.assignRouterID(id)
	}
	if id, ok := e.chooseRouterID(40); ok {
		t.Errorf("a 33rd router got %v", id)
	}
}

// TestUpdateRoutes follows the rules for a neighbor's Route64 (Thread 1.1 §5.10.2).
func TestUpdateRoutes(t *testing.T) {
	const self, a, b, far = 0, 1, 2, 3
	type way struct {
		next mle.RouterID
		cost uint8
	}
	for _, tt := range []struct {
		name       string
		qualityA   uint8 // of the links to a and b
		qualityB   uint8
		qualityFar uint8 // of a direct link, if there is one
		before     way
		cost       uint8 // that a announces for far
		want       way
		toward     mle.RouterID // self for no way
	}{
		{"new route", 3, 0, 0, way{noNextHop, 0}, 2, way{a, 2}, a},
		{"better route", 3, 3, 0, way{b, 5}, 2, way{a, 2}, a},
		{"equal route", 3, 3, 0, way{b, 2}, 2, way{b, 2}, b},
		{"worse route", 3, 3, 0, way{b, 2}, 3, way{b, 2}, b},
		{"the same router announces worse", 3, 3, 0, way{a, 2}, 9, way{a, 9}, a},
		{"the same router lost it", 3, 3, 0, way{a, 2}, 0, way{noNextHop, 0}, self},
		{"too far", 1, 0, 0, way{noNextHop, 0}, 13, way{noNextHop, 0}, self},
		{"just near enough", 1, 0, 0, way{noNextHop, 0}, 11, way{a, 11}, a},
		{"as good as the link", 3, 0, 2, way{noNextHop, 0}, 1, way{a, 1}, far},
		{"better than the link", 3, 0, 1, way{noNextHop, 0}, 1, way{a, 1}, a},
		{"cost counts the link", 1, 3, 0, way{b, 4}, 2, way{b, 4}, b},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newTestEngine(t)
			e.role, e.rloc = RoleRouter, mle.RouterRLOC16(self)
			e.routing.id, e.routers.self = self, e.rloc
			table := mle.Route64{Routers: mle.RouterIDSet(0).Add(self).Add(a).Add(b).Add(far)}
			e.routers.setAssigned(e.now, table.Routers, 1, func(*router) {})
			for id, q := range map[mle.RouterID]uint8{a: tt.qualityA, b: tt.qualityB, far: tt.qualityFar} {
				if q > 0 {
					r := e.routers.get(id)
					r.state, r.link.quality, r.qualityOut = stateValid, q, q
				}
			}
			r := e.routers.get(far)
			r.nextHop, r.cost = tt.before.next, tt.before.cost
			table.Routes[self] = mle.Route{LinkQualityIn: tt.qualityA, LinkQualityOut: tt.qualityA, Cost: 1}
			table.Routes[a] = mle.Route{Cost: 1}
			table.Routes[far].Cost = tt.cost
			e.updateRoutes(&table, a)
			if got := (way{r.nextHop, r.cost}); got != tt.want {
				t.Errorf("way %+v, want %+v", got, tt.want)
			}
			next, ok := e.routers.nextHop(far)
			if tt.toward == self {
				if ok {
					t.Errorf("next hop %v, want none", next)
				}
			} else if !ok || next != mle.RouterRLOC16(tt.toward) {
				t.Errorf("next hop %v, %v, want %v", next, ok, tt.toward)
			}
		})
	}
}

// TestStableData leaves out what is not stable, down to what is inside prefixes.
func TestStableData(t *testing.T) {
	const stable = 1
	prefix := func(flags byte, sub ...byte) []byte {
		value := append([]byte{0, 64, 0xfd, 0, 0, 0, 0, 0, 0, 1}, sub...)
		return append([]byte{1<<1 | flags, byte(len(value))}, value...)
	}
	border := func(flags byte) []byte { return []byte{2<<1 | flags, 4, 0x58, 0x00, 0x33, 0x00} }
	for _, tt := range []struct {
		name     string
		in, want []byte
	}{
		{"empty", nil, nil},
		{"stable prefix", prefix(stable, border(stable)...), prefix(stable, border(stable)...)},
		{"prefix for a while", prefix(0, border(0)...), nil},
		{"border router for a while", prefix(stable, append(border(0), border(stable)...)...), prefix(stable, border(stable)...)},
		{"both", append(prefix(0), prefix(stable)...), prefix(stable)},
	} {
		if got := stableData(tt.in); !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %x, want %x", tt.name, got, tt.want)
		}
	}
}
