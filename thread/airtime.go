package thread

import "time"

// Airtime is what a radio may send in an hour, and what has become of it: see [Engine.SetAirtime].
type Airtime struct {
	// Limit is what any hour allows. Zero is no limit.
	Limit time.Duration
	// Used is what was sent in the last hour, and Need what acknowledgements and MLE will take, by experience, before as much of Used is forgotten.
	Used, Need time.Duration
}

// committed is the share of the limit that is used, or will be without any more data.
func (a Airtime) committed() float64 {
	if a.Limit <= 0 {
		return 0
	}
	return float64(a.Used+a.Need) / float64(a.Limit)
}

// short is the share of the limit that is used, or will be, as a node counts that decides whether to send data: what it needed while the mesh formed tells
// others to spare it, but not itself to be silent.
func (a Airtime) short() float64 {
	if a.Limit <= 0 {
		return 0
	}
	return float64(a.Used+min(a.Need, time.Duration(mostNeed*float64(a.Limit)))) / float64(a.Limit)
}

// thrift is what a node with little airtime left does: it makes the ways over itself dearer, so that others are taken, and keeps what is
// left for what holds the mesh together. Data go no more then, neither its own nor others'.
//
//	committed ─► burden ─► costs of routes, pace of a leader, both in Advertisements
//	          │         └► its neighbors do not count it any more: children of theirs become routers
//	          └► short ──► data are given up
//
// Deviation: stock knows no such limit. A node that may send nothing any more is lost to the mesh, and who looks for it, or for another parent, uses
// up what is left to the others.
type thrift struct {
	*self
	routes *routes
	hold   *bool // of the sender

	burden uint8
}

// burdens are the shares of the limit from which on each hop over this node costs so much more.
var burdens = [...]struct {
	share float64
	cost  uint8
}{{0.85, mostBurden}, {0.75, heavyBurden}, {0.60, 1}}

const (
	// shortOf is the share from which on no data are sent: less than a governor would refuse, for what holds the mesh together may need more than of
	// late. Measured over cells of 16 that report each 5 min in the 1 % band: with 0.94 one mesh in 20 fell apart in its first three hours.
	shortOf = 0.90
	// mostNeed is the share of the limit that acknowledgements and MLE take at most, in a mesh that has formed.
	mostNeed = 0.30
	// heavyBurden is the burden from which on others take over from a router, so that children become routers, and mostBurden the one from which on it
	// says nothing more that can wait.
	heavyBurden, mostBurden = 2, 3
	// relief is how far the share must fall below a bound for the bound to hold no more.
	relief = 0.05
)

// set takes news of the airtime.
func (t *thrift) set(a Airtime) {
	t.routes.limited = a.Limit > 0
	share := a.committed()
	short := a.short()
	*t.hold = short >= shortOf || *t.hold && short >= shortOf-relief
	cost := uint8(0)
	for _, b := range burdens {
		if share >= b.share || t.burden >= b.cost && share >= b.share-relief {
			cost = b.cost
			break
		}
	}
	if cost != t.burden {
		t.burden, t.routes.neighbors.Routers.Burden = cost, cost // of which the next Advertisement tells: it changes some times an hour
	}
}

// SetAirtime tells the engine what the radio may still send, where the law bounds that: the engine then leaves data to others in time, its own and
// what passes through, so that acknowledgements and MLE can go on. Call it after frames were sent, every few seconds. See lora.Usage.
func (e *Engine) SetAirtime(now time.Time, a Airtime) {
	e.Advance(now)
	e.thrift.set(a)
	e.settle()
}
