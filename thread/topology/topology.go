// Package topology puts together what the nodes of a mesh tell of themselves by Network Diagnostics (Thread 1.1 §10.11): who is there, who
// is whose child, and how well they hear each other.
//
// A [Walker] says whom to ask next and is told the answers; a [Tracer] finds the way that datagrams take. Neither sends anything: whoever drives
// them does, at a pace that suits the radio.
package topology

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// Unknown stands for a link quality, and RSSIUnknown for a strength in dBm, of which nobody has told.
const (
	Unknown     = -1
	RSSIUnknown = 127
)

// Types are what a Walker wants to know of a node: about 120 bytes in a mesh of some nodes, two frames on LoRa.
func Types() []tmf.DiagnosticType {
	return []tmf.DiagnosticType{
		tmf.DiagnosticExtendedMACAddress, tmf.DiagnosticAddress16, tmf.DiagnosticMode, tmf.DiagnosticConnectivity, tmf.DiagnosticRoute64,
		tmf.DiagnosticLeaderData, tmf.DiagnosticIPv6AddressList, tmf.DiagnosticChildTable,
	}
}

// A Node is a router or a child.
type Node struct {
	RLOC16 mle.RLOC16
	// MAC is zero, and Addresses is empty, as long as the node has not answered: others know it by its RLOC16.
	MAC       ieee802154.ExtAddr
	Addresses []netip.Addr
	Leader    bool
	Mode      mle.Mode
	// Timeout is a child's: the silence after which its parent drops it, rounded up to a power of two of seconds. 0 if not known.
	Timeout time.Duration
	// Asked says that the node was asked in this walk, Answered that it has answered.
	Asked, Answered bool
	// Age is the time since the node was heard of, by its answer or otherwise; negative if it never was.
	Age time.Duration
}

// IsChild reports whether the node is a child. Its parent is the router with the same router ID.
func (n Node) IsChild() bool { return n.RLOC16.IsChild() }

// A Direction is how well one node hears another.
type Direction struct {
	Quality int // 0 to 3; Unknown
	RSSI    int // in dBm; RSSIUnknown
}

// A Link is a direct radio connection of two nodes, A having the lower RLOC16.
type Link struct {
	A, B mle.RLOC16
	// AtoB is how well B hears A, BtoA how well A hears B.
	AtoB, BtoA Direction
}

// Topology is a mesh as it has shown itself in a walk.
type Topology struct {
	Time        time.Time // of the end of the walk
	PartitionID uint32
	// Routers, Children and Links are in the order of their RLOC16s.
	Routers, Children []Node
	Links             []Link
}

// Find returns the node with an RLOC16.
func (t *Topology) Find(rloc mle.RLOC16) (Node, bool) {
	for _, list := range [...][]Node{t.Routers, t.Children} {
		if i := slices.IndexFunc(list, func(n Node) bool { return n.RLOC16 == rloc }); i >= 0 {
			return list[i], true
		}
	}
	return Node{}, false
}

// Options say how to walk.
type Options struct {
	// Children has children asked as well: for their MAC and their addresses, of which their parents do not tell. Sleepy ones are left out.
	Children bool
	// Previous is an earlier result: what it knew of nodes that do not answer now is kept, for as long as Forget after they were last heard of;
	// an hour if that is 0.
	Previous *Topology
	Forget   time.Duration
}

// Limits that this implementation chose.
const (
	maxAsked      = 512 // nodes in a walk
	defaultForget = time.Hour
)

// report is what is known of a node.
type report struct {
	Node
	heard  time.Time // zero if never
	routes mle.Route64
	routed bool
	around mle.Connectivity
	told   bool // its Connectivity
}

// A Walker walks a mesh: New, Seed, then Next and Answer or Silent until there is nobody left to ask, then Result.
type Walker struct {
	options Options
	nodes   map[mle.RLOC16]*report
	queue   []mle.RLOC16
	asked   int
	leader  mle.LeaderData
	led     bool
	local   map[[2]mle.RLOC16]int // strengths that were measured by the first node of a pair
	quality map[[2]mle.RLOC16]int // and qualities
}

// New returns a Walker that knows nobody.
func New(o Options) *Walker {
	if o.Forget == 0 {
		o.Forget = defaultForget
	}
	return &Walker{
		options: o, nodes: map[mle.RLOC16]*report{}, local: map[[2]mle.RLOC16]int{}, quality: map[[2]mle.RLOC16]int{},
	}
}

// Seed adds a node to ask: the first router, of which the others are learned, or one that is known otherwise. heard is when it was heard of
// last, zero if never.
func (w *Walker) Seed(rloc mle.RLOC16, heard time.Time) {
	r := w.node(rloc)
	if r == nil {
		return
	}
	if heard.After(r.heard) {
		r.heard = heard
	}
	w.enqueue(r)
}

// Measured notes what the node at says of frames from the node from: their average strength in dBm and the quality, 0 to 3.
func (w *Walker) Measured(at, from mle.RLOC16, rssi, quality int) {
	pair := [2]mle.RLOC16{at, from}
	w.quality[pair] = quality
	if rssi != RSSIUnknown {
		w.local[pair] = rssi
	}
}

// node returns what is known of a node, nil for none.
func (w *Walker) node(rloc mle.RLOC16) *report {
	if !rloc.Valid() {
		return nil
	}
	r := w.nodes[rloc]
	if r == nil {
		r = &report{Node: Node{RLOC16: rloc}}
		w.nodes[rloc] = r
	}
	return r
}

func (w *Walker) enqueue(r *report) {
	if !r.Asked && w.asked < maxAsked && !slices.Contains(w.queue, r.RLOC16) {
		w.queue = append(w.queue, r.RLOC16)
	}
}

// Left is how many nodes are still to be asked, as far as is known.
func (w *Walker) Left() int { return len(w.queue) }

// Next returns whom to ask next, for Types, and false if there is nobody.
func (w *Walker) Next() (mle.RLOC16, bool) {
	if len(w.queue) == 0 {
		return 0, false
	}
	rloc := w.queue[0]
	w.queue = w.queue[1:]
	w.nodes[rloc].Asked = true
	w.asked++
	return rloc, true
}

// Answer takes the answer of a node. What is missing or malformed in it is not known.
func (w *Walker) Answer(now time.Time, rloc mle.RLOC16, d tmf.Diagnostics) {
	r := w.node(rloc)
	if r == nil {
		return
	}
	if told, err := d.Address16(); err == nil && told != rloc {
		return // the answer of somebody who has moved away
	}
	r.Answered, r.heard = true, now
	if ext, err := d.ExtendedMACAddress(); err == nil {
		r.MAC = ext
	}
	if mode, err := d.Mode(); err == nil {
		r.Mode = mode
	}
	r.Addresses, _ = d.IPv6Addresses()
	if c, err := d.Connectivity(); err == nil {
		r.around, r.told = c, true
	}
	if l, err := d.LeaderData(); err == nil {
		w.leader, w.led = l, true
	}
	if route, err := d.Route64(); err == nil {
		w.takeRoutes(r, route)
	}
	if children, err := d.ChildTable(); err == nil {
		w.takeChildren(r, children)
	}
}

func (w *Walker) takeRoutes(r *report, route mle.Route64) {
	r.routes, r.routed = route, true
	for id := range route.Routers.All() {
		if n := w.node(id.RLOC16()); n != nil {
			w.enqueue(n)
		}
	}
}

func (w *Walker) takeChildren(parent *report, children []tmf.ChildEntry) {
	for _, c := range children {
		if c.ID == 0 {
			continue
		}
		n := w.node(mle.ChildRLOC16(parent.RLOC16.RouterID(), c.ID))
		if n == nil {
			continue
		}
		n.Mode, n.Timeout = c.Mode, c.Timeout
		if c.LinkQualityIn > 0 {
			w.Measured(parent.RLOC16, n.RLOC16, RSSIUnknown, int(c.LinkQualityIn))
		}
		if w.options.Children && c.Mode.Has(mle.ModeRxOnWhenIdle) {
			w.enqueue(n)
		}
	}
}

// Result returns what the walk has shown.
func (w *Walker) Result(now time.Time) Topology {
	t := Topology{Time: now, PartitionID: w.leader.PartitionID}
	w.remember(now)
	for _, rloc := range slices.Sorted(maps.Keys(w.nodes)) {
		r := w.nodes[rloc]
		n := r.Node
		n.Age = Unknown
		if !r.heard.IsZero() {
			n.Age = max(now.Sub(r.heard), 0)
		}
		if n.Leader = w.led && rloc == w.leader.LeaderRouterID.RLOC16(); n.IsChild() {
			t.Children = append(t.Children, n)
		} else {
			t.Routers = append(t.Routers, n)
		}
	}
	t.Links = w.links()
	return t
}

// remember takes what an earlier walk knew of nodes that have not told of themselves in this one.
func (w *Walker) remember(now time.Time) {
	if w.options.Previous == nil {
		return
	}
	p := w.options.Previous
	for _, list := range [...][]Node{p.Routers, p.Children} {
		for _, old := range list {
			var heard time.Time
			if old.Age >= 0 {
				heard = p.Time.Add(-old.Age)
			}
			r := w.nodes[old.RLOC16]
			switch {
			case r == nil && (heard.IsZero() || now.Sub(heard) > w.options.Forget):
				continue
			case r == nil:
				r = w.node(old.RLOC16)
				if r == nil {
					continue
				}
				r.Mode, r.Timeout = old.Mode, old.Timeout
			case r.Answered:
				continue
			}
			r.MAC, r.Addresses = old.MAC, old.Addresses
			if heard.After(r.heard) {
				r.heard = heard
			}
		}
	}
}

// links are those between routers, as both ends tell, and those of children to their parents.
func (w *Walker) links() (links []Link) {
	for _, a := range slices.Sorted(maps.Keys(w.nodes)) {
		if a.IsChild() {
			parent := a.RouterID().RLOC16()
			if r := w.nodes[parent]; r != nil {
				links = append(links, Link{A: parent, B: a, AtoB: w.direction(parent, a), BtoA: w.direction(a, parent)})
			}
			continue
		}
		for _, b := range slices.Sorted(maps.Keys(w.nodes)) {
			if b <= a || b.IsChild() {
				continue
			}
			l := Link{A: a, B: b, AtoB: w.direction(a, b), BtoA: w.direction(b, a)}
			if l.AtoB.Quality > 0 || l.BtoA.Quality > 0 {
				links = append(links, l)
			}
		}
	}
	slices.SortFunc(links, func(x, y Link) int { return cmp.Or(cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B)) })
	return links
}

// direction is how well to hears from: as to says, or else as from has been told by it.
func (w *Walker) direction(from, to mle.RLOC16) Direction {
	d := Direction{Quality: Unknown, RSSI: RSSIUnknown}
	pair := [2]mle.RLOC16{to, from}
	if rssi, ok := w.local[pair]; ok {
		d.RSSI = rssi
	}
	sender, receiver := w.nodes[from], w.nodes[to]
	quality, measured := w.quality[pair]
	switch {
	case measured:
		d.Quality = quality
	case !to.IsChild() && !from.IsChild() && receiver != nil && receiver.routed:
		d.Quality = int(receiver.routes.Routes[from.RouterID()].LinkQualityIn)
	case !to.IsChild() && !from.IsChild() && sender != nil && sender.routed:
		d.Quality = int(sender.routes.Routes[to.RouterID()].LinkQualityOut)
	case to.IsChild() && receiver != nil && receiver.told:
		d.Quality = onlyNeighbor(receiver.around)
	}
	return d
}

// onlyNeighbor is the quality of the link to a child's parent, if that is all that its Connectivity counts.
func onlyNeighbor(c mle.Connectivity) int {
	switch [3]uint8{c.LinkQuality1, c.LinkQuality2, c.LinkQuality3} {
	case [3]uint8{1, 0, 0}:
		return 1
	case [3]uint8{0, 1, 0}:
		return 2
	case [3]uint8{0, 0, 1}:
		return 3
	}
	return Unknown
}
