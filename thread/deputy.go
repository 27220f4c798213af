package thread

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/mac"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/resolver"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// deputy is what a router does for neighbors that have another engine, boards of Pycom above all, which ask all of the mesh where an address is: it
// finds out their addresses, so that all who have this engine know them, see places, and answers their questions for those who are asked for. A
// question that is answered so it does not send on.
//
//	neighbor without mle.TLVCompany ─► d/dg ─► its ML-EID ─► resolver ─► places
//	Address Query of one ─► is the place known? ─► a short pause ─► Address Notification
//	                                                  └► another deputy was faster: none
//
// Deviation: for stock only the owner of an address answers, or its parent. A board that asks sends its question twice, at once, and so do all
// boards that hear it, at the same time since they do not hear each other: for half a second nothing else gets through, and after three the board
// gives up what waits. Of pings between boards in a grid of 16, half of them boards, on LoRa at SF7 a third was answered, of all three quarters.
type deputy struct {
	*self
	neighbors   *neighbors.Table
	addresses   *addresses.Table
	resolver    *resolver.Resolver
	places      *places
	queries     *queries
	diagnostics *diagnostics
	quiet       *quiet
	tmf         *tmfMessenger
	mac         *mac.MAC

	asked     [maxAsked]askedQuestion // the latest, as a ring
	nextAsked int

	wrote     [maxAsked]written // the latest datagrams of neighbors, as a ring
	nextWrote int

	answers []deputyAnswer
	next    time.Time // when the first of answers is due, zero if there is none
	census  []censusEntry
	asking  bool      // a neighbor for its address
	pause   time.Time // before which none is asked
}

// A deputyAnswer waits for its pause.
type deputyAnswer struct {
	at     time.Time
	asker  mle.RLOC16
	target netip.Addr
	before mle.RouterIDSet // neighbors of the asker that are to answer before
	own    bool            // it is this node's own address
	hint   bool            // nobody has asked, as far as was heard: see delivered
	hints  uint8           // how many were given
}

// An askedQuestion is one that was answered by a deputy.
type askedQuestion struct {
	at     time.Time
	asker  mle.RLOC16
	target netip.Addr
}

// A censusEntry is a neighbor whose address is to be asked for.
type censusEntry struct {
	ext   ieee802154.ExtAddr
	rloc  mle.RLOC16
	at    time.Time
	tries uint8
}

// Limits that this implementation chose.
const (
	maxDeputyAnswers = 16
	maxAsked         = 16
	maxCensus        = neighbors.MaxRouters
	// askedAgain is within what time a question counts as asked again.
	askedAgain = 5 * time.Minute
	// The first deputy answers after deputyFirst and up to deputyFirstSpread, the others after deputyNext and up to deputyNextSpread, in halves of the
	// time of the longest frame. Until deputyFirst the asker sends its question again, and each board that has heard it sends it on twice. A board gives
	// up after three seconds.
	deputyFirst, deputyFirstSpread = 3, 2
	deputyNext, deputyNextSpread   = 6, 14
	// censusPause is the time between two questions for addresses, censusRank how much later each deputy asks than the one before it.
	censusPause, censusRank = 10 * time.Second, 40 * time.Second
	// censusTries bounds the questions to one neighbor without an answer.
	censusTries = 4
)

// active reports whether the node has somebody to speak for, and the airtime to do so.
func (d *deputy) active() bool {
	return d.isRouter() && d.quiet.possible() && !d.quiet.now() && d.neighbors.Routers.Burden == 0
}

// before returns the routers that may speak for a neighbor as well, and come before this one: of those with this engine the owner of the
// address that is asked for, if there is one, and such as have a lower ID.
func (d *deputy) before(n *neighbors.Neighbor, owner mle.RLOC16) (ids mle.RouterIDSet) {
	r := d.neighbors.Routers.Get(n.RLOC16.RouterID())
	if n.Kind() == neighbors.KindChild || r == nil {
		return 0
	}
	for id := range r.Others.All() {
		other := d.neighbors.Routers.Get(id)
		if (id < d.ownID() || id.RLOC16() == owner) && other != nil && !(other.Valid() && other.Foreign) {
			ids = ids.Add(id)
		}
	}
	return ids
}

// where returns the place of an ML-EID, and how long ago it was there. A router stays where it is; a child may have left.
func (d *deputy) where(target netip.Addr) (rloc mle.RLOC16, age time.Duration, ok bool) {
	if !d.addresses.Prefix().Contains(target) {
		return 0, 0, false
	}
	d.places.recall(target)
	rloc, age, ok = d.resolver.Place(target)
	return rloc, age, ok && d.places.assigned(rloc) && (rloc.IsRouter() || age < d.timing.ListenerTimeout)
}

// heardQuery considers a question of a neighbor, or of somebody farther away.
func (d *deputy) heardQuery(from, target netip.Addr, p tmf.Payload) {
	asker, ok := d.addresses.Locator(from)
	if _, err := p.MLEID(); err == nil || !ok || !d.active() {
		return // who says where it is has this engine
	}
	rloc, _, ok := d.where(target)
	if !ok || rloc == asker {
		return
	}
	n := d.beside(asker)
	again := d.asksAgain(asker, target)
	switch {
	case n == nil && again:
		return
	case n == nil:
		if d.tmf.settled = d.hasDeputy(asker); d.tmf.settled {
			d.resolver.TellAgain(target) // who is to answer may not know it
		}
		return
	}
	d.tmf.settled = !again
	d.plan(deputyAnswer{asker: asker, target: target, before: d.before(n, rloc)})
}

// beside returns the neighbor at a place for which this node may speak, nil if there is none.
func (d *deputy) beside(asker mle.RLOC16) *neighbors.Neighbor {
	if n := d.neighbors.ByRLOC16(asker); n != nil && n.Valid() && n.Foreign {
		return n
	}
	return nil
}

// plan has a question answered after a pause. A question that was heard takes the place of a hint.
func (d *deputy) plan(a deputyAnswer) {
	i := slices.IndexFunc(d.answers, func(b deputyAnswer) bool { return a.asker == b.asker && a.target == b.target })
	if i >= 0 && (a.hint || !d.answers[i].hint) || i < 0 && len(d.answers) == maxDeputyAnswers {
		return
	}
	var pause, spread time.Duration = deputyFirst, deputyFirstSpread
	switch {
	case a.hint:
		pause = hintPause * time.Duration(2+a.hints) / 2
	case a.before != 0:
		pause, spread = deputyNext, deputyNextSpread
	}
	half := d.timing.FrameTime / 2
	a.at = d.Now.Add(pause*half + d.RandomUpTo(spread*half))
	if i >= 0 {
		d.answers[i] = a
	} else {
		d.answers = append(d.answers, a)
	}
	d.next = core.Earliest(d.next, a.at)
}

// ownAsked answers a question for this node itself after a pause, if a board asks. It reports false if the question is to be answered at once.
func (d *deputy) ownAsked(from, target netip.Addr, p tmf.Payload) bool {
	asker, ok := d.addresses.Locator(from)
	if _, err := p.MLEID(); err == nil || !ok || !d.quiet.possible() || len(d.answers) == maxDeputyAnswers {
		return false
	}
	d.plan(deputyAnswer{asker: asker, target: target, own: true})
	return true
}

// asksAgain notes a question, and reports whether it is asked again so soon that the answer must have been wrong, or is lost: the node may have
// left. Then it goes to all, as without deputies.
func (d *deputy) asksAgain(asker mle.RLOC16, target netip.Addr) bool {
	i := slices.IndexFunc(d.asked[:], func(q askedQuestion) bool { return q.asker == asker && q.target == target })
	again := i >= 0 && d.Now.Sub(d.asked[i].at) < askedAgain
	if i < 0 {
		i = d.nextAsked
		d.nextAsked = (i + 1) % len(d.asked)
	}
	d.asked[i] = askedQuestion{d.Now, asker, target}
	if again {
		d.asked[i] = askedQuestion{}
	}
	return again
}

// hasDeputy reports whether a neighbor with this engine is next to who asks.
func (d *deputy) hasDeputy(asker mle.RLOC16) bool {
	id := asker.RouterID()
	for other, r := range d.neighbors.Routers.Linked() {
		if !r.Foreign && (asker.IsRouter() && r.Others.Contains(id) || asker.IsChild() && other == id) {
			return true
		}
	}
	return false
}

// passing notes a frame of somebody to somebody else. It may be the answer of another deputy, or what its asker has sent thereupon; if it is
// neither, or forged, the first deputy answers all the same.
func (d *deputy) passing(src, dst mle.RLOC16) {
	if len(d.answers) == 0 {
		return
	}
	d.answers = slices.DeleteFunc(d.answers, func(a deputyAnswer) bool {
		return a.before != 0 && (a.asker == src || a.asker == dst && a.before.Contains(src.RouterID()))
	})
}

// NextTimeout returns when the next answer is due.
func (d *deputy) NextTimeout() (time.Time, bool) { return d.next, !d.next.IsZero() }

// HandleTimeout sends the answers that are due.
func (d *deputy) HandleTimeout() {
	if !d.IsDue(d.next) {
		return
	}
	d.next = time.Time{}
	for i := 0; i < len(d.answers); {
		a := d.answers[i]
		if !d.IsDue(a.at) {
			d.next = core.Earliest(d.next, a.at)
			i++
			continue
		}
		d.answers = slices.Delete(d.answers, i, i+1)
		if a.own && !a.hint {
			d.queries.notify(a.asker.Addr(d.addresses.Prefix()), a.target, d.addresses.IID(), -1)
			d.tmf.drain()
			continue
		}
		d.answer(a)
		if a.hints++; a.hint && a.hints < maxHints {
			d.plan(a)
		}
	}
}

// answer tells a neighbor where an address is. The owner's own answer counts for more there: it says that it is younger.
func (d *deputy) answer(a deputyAnswer) {
	rloc, age, ok := d.where(a.target)
	if a.own {
		rloc, age, ok = d.rloc, 0, d.addresses.Own(a.target)
	}
	if !ok || !d.active() {
		return
	}
	to := a.asker.Addr(d.addresses.Prefix())
	if !d.queries.rateOf(to).Allow(d.Now) {
		d.counters.TMFRefused++
		return
	}
	payload := tmf.AppendTargetEID(nil, a.target)
	payload = tmf.AppendMLEID(payload, ip6.InterfaceIDOf(a.target))
	payload = tmf.AppendRLOC16(payload, rloc)
	if !a.own {
		payload = tmf.AppendTimeSinceLastTransaction(payload, max(age, time.Second))
	}
	// It is not repeated: who has the owner's answer by then acknowledges no other.
	d.tmf.coap.Send(d.tmf.path(to), newPost(coap.Confirmable, tmf.URIAddressNotify, payload))
	d.tmf.drain()
}

// pace asks a neighbor for its address, when it is time: it is called each second.
func (d *deputy) pace() {
	active := d.active()
	d.mac.Repeats, d.mac.Boards = active, d.quiet.possible() && !d.quiet.now()
	if !active || d.asking || d.Now.Before(d.pause) || d.full() {
		return
	}
	for _, r := range d.neighbors.Routers.Linked() {
		if d.ask(&r.Neighbor) {
			return
		}
	}
	for c := range d.neighbors.Children.Established() {
		if d.ask(&c.Neighbor) {
			return
		}
	}
}

// ask asks a neighbor for its address, if that is not known, and it is time.
func (d *deputy) ask(n *neighbors.Neighbor) bool {
	if !n.Valid() || !n.Foreign || n.Sleepy() || !n.FullThreadDevice() || d.knows(n.RLOC16) {
		return false
	}
	e := d.entry(n)
	if !d.IsDue(e.at) || e.tries == censusTries {
		return false
	}
	e.tries++
	e.at = d.Now.Add(censusPause << e.tries)
	rloc := n.RLOC16
	types := []tmf.DiagnosticType{tmf.DiagnosticIPv6AddressList}
	_, err := d.diagnostics.get(rloc.Addr(d.addresses.Prefix()), types, func(x Diagnostic) { d.told(rloc, x) })
	d.asking = err == nil
	d.pause = d.Now.Add(censusPause/2 + d.RandomUpTo(censusPause/2))
	return true
}

// entry returns that of a neighbor, a new one if it has come, or is elsewhere. The one that was there longest gives way.
func (d *deputy) entry(n *neighbors.Neighbor) *censusEntry {
	i := slices.IndexFunc(d.census, func(e censusEntry) bool { return e.ext == n.Ext })
	if i >= 0 && d.census[i].rloc == n.RLOC16 {
		return &d.census[i]
	}
	if i >= 0 {
		d.census = slices.Delete(d.census, i, i+1)
	} else if len(d.census) == maxCensus {
		d.census = slices.Delete(d.census, 0, 1)
	}
	wait := censusPause/2 + d.RandomUpTo(censusPause) + censusRank*time.Duration(d.before(n, mle.InvalidRLOC16).Len())
	d.census = append(d.census, censusEntry{ext: n.Ext, rloc: n.RLOC16, at: d.Now.Add(wait)})
	return &d.census[len(d.census)-1]
}

// knows reports whether an address at a place is known.
func (d *deputy) knows(rloc mle.RLOC16) bool {
	for range d.resolver.At(rloc) {
		return true
	}
	return d.places.hints.Occupied(rloc)
}

// told takes the answer of a neighbor.
func (d *deputy) told(rloc mle.RLOC16, x Diagnostic) {
	d.asking = false
	list, err := x.TLVs.IPv6Addresses()
	if x.Err != nil || err != nil {
		return
	}
	for _, a := range list {
		if _, locator := d.addresses.Locator(a); d.addresses.Prefix().Contains(a) && !locator {
			d.resolver.Learn(a, rloc)
			d.queries.settle()
			d.census = slices.DeleteFunc(d.census, func(e censusEntry) bool { return e.rloc == rloc })
			return // each node has one
		}
	}
}

// forget is for another place, or another partition.
func (d *deputy) forget() {
	clear(d.wrote[:])
	d.answers, d.census, d.next, d.asking = d.answers[:0], d.census[:0], time.Time{}, false
}
