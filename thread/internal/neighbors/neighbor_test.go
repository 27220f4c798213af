package neighbors

import (
	"testing"

	"github.com/gopymesh/pymesh/thread/mle"
)

func TestStateStrings(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range states {
		seen[s.String()] = true
	}
	if len(seen) != len(states) || !seen["invalid"] || !seen["valid"] || !seen["child ID request"] {
		t.Errorf("%v", seen)
	}
	if got := State(len(states)).String(); got != "State(8)" {
		t.Errorf("beyond the last: %s", got)
	}
}

// Established is what stands, or stood before a restart.
func TestEstablished(t *testing.T) {
	established := map[State]bool{Restored: true, ChildUpdateRequest: true, Valid: true}
	for _, s := range states {
		n := Neighbor{state: s}
		if n.Established() != established[s] || n.Valid() != (s == Valid) || n.State() != s {
			t.Errorf("%v: established %v, valid %v", s, n.Established(), n.Valid())
		}
	}
}

func TestMode(t *testing.T) {
	for _, tt := range []struct {
		mode       mle.Mode
		full, data bool
	}{
		{0, false, false},
		{mle.ModeRxOnWhenIdle, false, false},
		{mle.ModeFullThreadDevice, true, false},
		{mle.ModeFullNetworkData, false, true},
		{mle.ModeFullThreadDevice | mle.ModeFullNetworkData | mle.ModeRxOnWhenIdle, true, true},
	} {
		n := Neighbor{Mode: tt.mode}
		if n.FullThreadDevice() != tt.full || n.FullNetworkData() != tt.data {
			t.Errorf("mode %#x: %v, %v", tt.mode, n.FullThreadDevice(), n.FullNetworkData())
		}
	}
}

// A neighbor's next frames count up from what it has proven; under a later key sequence anything goes (Thread 1.1 §7).
func TestProve(t *testing.T) {
	var n Neighbor
	n.MAC.Accept(4, 10_000)
	n.Prove(3, 100, 200)
	for _, tt := range []struct {
		name     string
		mac, mle error
	}{
		{"before", n.MAC.Check(3, 98), n.MLE.Check(3, 198)},
		{"sequence before", n.MAC.Check(2, 100), n.MLE.Check(2, 200)},
	} {
		if tt.mac == nil || tt.mle == nil {
			t.Errorf("%s: %v, %v", tt.name, tt.mac, tt.mle)
		}
	}
	for _, err := range []error{n.MAC.Check(3, 100), n.MLE.Check(3, 200), n.MAC.Check(4, 0), n.MLE.Check(4, 0)} {
		if err != nil {
			t.Error(err)
		}
	}
}

// Parents of one partition, from the worst to the best: each is better in one respect than the one before it, and
// worse in all that counts less.
func TestWorseThan(t *testing.T) {
	const router, device = mle.RLOC16(0x0400), mle.RLOC16(0x0401)
	connectivity := func(p mle.ParentPriority, three, two, one uint8) mle.Connectivity {
		return mle.Connectivity{ParentPriority: p, LinkQuality3: three, LinkQuality2: two, LinkQuality1: one}
	}
	low, medium, high := mle.ParentPriorityLow, mle.ParentPriorityMedium, mle.ParentPriorityHigh
	order := []Offer{
		{device, 1, 0, connectivity(low, 0, 0, 0)},
		{device, 1, 99, connectivity(low, 0, 0, 0)},
		{device, 1, 0, connectivity(low, 0, 0, 9)},
		{device, 1, 0, connectivity(low, 0, 9, 0)},
		{device, 1, 0, connectivity(low, 9, 0, 0)},
		{device, 1, 0, connectivity(medium, 0, 0, 0)},
		{device, 1, 99, connectivity(high, 9, 9, 9)},
		{router, 1, 0, connectivity(low, 0, 0, 0)},
		{router, 1, 99, connectivity(high, 9, 9, 9)},
		{device, 2, 0, connectivity(low, 0, 0, 0)},
		{router, 2, 99, connectivity(high, 9, 9, 9)},
		{device, 3, 0, connectivity(low, 0, 0, 0)},
	}
	for i, have := range order {
		for k, offer := range order {
			// The quality that counts is that of the worse direction.
			for _, quality := range [][2]uint8{{have.Quality, 3}, {3, have.Quality}} {
				c := Candidate{Neighbor: Neighbor{RLOC16: have.RLOC16}, Connectivity: have.Connectivity, Margin: have.Margin}
				c.Link.Quality, c.QualityOut = quality[0], quality[1]
				if got := c.WorseThan(offer); got != (k > i) {
					t.Errorf("%+v is worse than %+v: %v", have, offer, got)
				}
			}
		}
	}
}

// TestRekey: under a new network key all neighbors begin with the first key sequence, and with any frame counter. Under one that comes back
// they go on with their counters: what they have sent under it is no news.
func TestRekey(t *testing.T) {
	r := newRouter(t)
	child, router := r.child(1, Valid), r.link(left, 3)
	child.Prove(3, 100, 200)
	router.Prove(7, 10, 20)
	r.Rekey(false)
	for _, n := range []*Neighbor{&child.Neighbor, &router.Neighbor} {
		if n.MAC.Check(0, 0) != nil || n.MLE.Check(0, 0) != nil {
			t.Errorf("%v: a counter that begins anew is refused", n.Ext)
		}
	}
	child.MAC.Accept(0, 5)
	r.Rekey(true)
	for _, n := range []*Neighbor{&child.Neighbor, &router.Neighbor} {
		if n.MAC.Sequence() != 0 || n.MLE.Sequence() != 0 {
			t.Errorf("%v: sequences %v, %v", n.Ext, n.MAC.Sequence(), n.MLE.Sequence())
		}
	}
	if child.MAC.Next() != 100 || child.MLE.Next() != 200 || router.MAC.Next() != 10 || router.MLE.Next() != 20 {
		t.Errorf("counters %v, %v, %v, %v", child.MAC, child.MLE, router.MAC, router.MLE)
	}
}
