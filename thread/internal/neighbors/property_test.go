package neighbors

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// A life is a table to which anything happens in any order, and the links of which it was told that they stand.
type life struct {
	*room
	rand *rand.Rand
	told map[*Neighbor]ieee802154.ExtAddr
}

func newLife(t testing.TB, seed uint64) *life {
	l := &life{room: newRoom(t), rand: rand.New(rand.NewPCG(seed, 0)), told: map[*Neighbor]ieee802154.ExtAddr{}}
	l.Tell = func(n *Neighbor, added bool) {
		ext, standing := l.told[n]
		switch {
		case n.Kind() == KindParent:
			t.Errorf("told of a parent %x", n.Ext)
		case added && standing:
			t.Errorf("%x is added, and is there as %x", n.Ext, ext)
		case added:
			l.told[n] = n.Ext
		case !standing:
			t.Errorf("%x is removed, and is not there", n.Ext)
		case ext != n.Ext:
			t.Errorf("%x is removed, which was added as %x", n.Ext, ext)
		}
		if !added {
			delete(l.told, n)
		}
	}
	return l
}

func (l *life) ext() ieee802154.ExtAddr { return ieee802154.ExtAddr{byte(l.rand.IntN(8))} }
func (l *life) state() State            { return states[l.rand.IntN(len(states))] }
func (l *life) id() mle.RouterID        { return mle.RouterID(l.rand.IntN(8)) }

// router is one with an ID, child one in the table; each is nil if there is none.
func (l *life) router() *Router { return l.Routers.Get(l.id()) }

func (l *life) anyChild() *Child {
	if all := slices.Collect(l.Children.All()); len(all) > 0 {
		return all[l.rand.IntN(len(all))]
	}
	return nil
}

func (l *life) route64() *mle.Route64 {
	table := &mle.Route64{Routers: mle.RouterIDSet(l.rand.Uint64N(256) << 56)}
	for id := range table.Routers.All() {
		table.Routes[id] = mle.Route{
			LinkQualityIn: uint8(l.rand.IntN(4)), LinkQualityOut: uint8(l.rand.IntN(4)), Cost: uint8(l.rand.IntN(16)),
		}
	}
	return table
}

// steps are all that can happen, each as its callers do it.
var steps = []struct {
	name string
	do   func(l *life)
}{
	{"AddChild", func(l *life) { l.AddChild(l.ext(), l.state()) }},
	{"Change a child", func(l *life) {
		if c := l.anyChild(); c != nil {
			l.Change(&c.Neighbor, l.state())
		}
	}},
	{"Drop a child", func(l *life) {
		if c := l.anyChild(); c != nil {
			l.Drop(&c.Neighbor)
		}
	}},
	{"Allocate and Register", func(l *life) {
		if c := l.anyChild(); c != nil {
			c.RLOC16 = l.Children.Allocate(l.id().RLOC16())
			l.Children.Register(c, netip.AddrFrom16([16]byte{0xfd, 15: byte(l.rand.IntN(10))}))
		}
	}},
	{"Resize", func(l *life) {
		if l.Children.Empty() { // else the children would be gone without a word
			l.Children.Resize(1 + l.rand.IntN(5))
		}
	}},
	{"ClearChildren", func(l *life) { l.ClearChildren() }},
	{"Change a router", func(l *life) {
		if r := l.router(); r != nil {
			r.Link.Quality, r.QualityOut = uint8(l.rand.IntN(4)), uint8(l.rand.IntN(4))
			l.Change(&r.Neighbor, l.state())
		}
	}},
	{"Drop a router", func(l *life) {
		if r := l.router(); r != nil {
			l.Drop(&r.Neighbor)
		}
	}},
	{"LoseLink", func(l *life) {
		if r := l.router(); r != nil {
			l.LoseLink(r)
		}
	}},
	{"LoseRoute", func(l *life) {
		if r := l.router(); r != nil {
			l.LoseRoute(r)
		}
	}},
	{"DropLinks", func(l *life) { l.DropLinks() }},
	{"ClearRouters", func(l *life) { l.ClearRouters() }},
	{"SetAssigned", func(l *life) { l.SetAssigned(mle.RouterIDSet(l.rand.Uint64N(256)<<56), uint8(l.rand.Uint32())) }},
	{"Assign", func(l *life) {
		if id, ok := l.Routers.Choose(l.core.Now, l.id(), l.rand.IntN); ok {
			l.Assign(id, l.ext())
		}
		l.Assign(l.id(), l.ext()) // it may be assigned already
	}},
	{"Release", func(l *life) {
		if id := l.id(); l.Routers.IsAssigned(id) {
			l.Release(id, l.core.Now.Add(time.Minute))
		}
	}},
	{"CountUp", func(l *life) { l.Routers.CountUp(l.core.Now, time.Minute) }},
	{"LearnRoutes", func(l *life) { l.LearnRoutes(l.route64(), l.id()) }},
	{"Doubt", func(l *life) {
		if r := l.router(); r != nil {
			l.Doubt(l.route64(), r, l.core.Now)
		}
	}},
	{"Expect", func(l *life) {
		if id := l.id(); !l.Routers.IsAssigned(id) {
			l.Expect(id)
		}
	}},
	{"LearnLeaderRoute", func(l *life) { l.Routers.LearnLeaderRoute(l.route64(), l.id(), l.id()) }},
	{"SetParent", func(l *life) { l.SetParent(Neighbor{Ext: l.ext(), RLOC16: l.id().RLOC16()}, 1, l.state()) }},
	{"Change the parent", func(l *life) { l.Change(&l.Parent.Neighbor, l.state()) }},
	{"AdoptParent", func(l *life) {
		l.AdoptParent()
	}},
	{"SetCandidate", func(l *life) { l.SetCandidate(Candidate{Neighbor: Neighbor{Ext: l.ext(), RLOC16: l.id().RLOC16()}}) }},
	{"Change the candidate", func(l *life) { l.Change(&l.Candidate.Neighbor, l.state()) }},
	{"ClearCandidate", func(l *life) { l.ClearCandidate() }},
	{"Forget", func(l *life) { l.Forget() }},
	{"another role", func(l *life) {
		l.View, l.Searching = View(l.rand.IntN(3)), l.rand.IntN(2) == 0
		l.Routers.Self = []mle.RLOC16{l.id().RLOC16(), mle.ChildRLOC16(l.id(), 1), mle.InvalidRLOC16}[l.rand.IntN(3)]
	}},
	{"time", func(l *life) { l.after(time.Duration(l.rand.IntN(100)) * time.Second) }},
}

// check compares what was told, and what is kept of the entries, with the entries themselves.
func (l *life) check() error {
	valid := map[*Neighbor]bool{}
	used, attached, taken := 0, 0, 0
	for _, c := range l.Children.entries {
		if c == nil {
			continue
		}
		if c.Valid() {
			valid[&c.Neighbor] = true
			attached++
		}
		if c.State() != Invalid {
			used++
			if c.State() != ParentRequest {
				taken++
			}
		}
	}
	if all := slices.Collect(l.Children.All()); len(all) != used || l.Children.Empty() != (used == 0) ||
		l.Children.Attached() != attached || l.Children.Full() != (taken >= l.Children.Limit()) {
		return fmt.Errorf("%d children in use, %d attached; All yields %d, Empty: %v, Attached: %d, Full: %v",
			used, attached, len(all), l.Children.Empty(), l.Children.Attached(), l.Children.Full())
	}
	links := 0
	linked, inContact := map[mle.RouterID]bool{}, map[mle.RouterID]bool{}
	for id := range l.Routers.Linked() {
		linked[id] = true
	}
	for id := range l.Routers.InContact() {
		inContact[id] = true
	}
	for i := range l.Routers.entries {
		r, id := l.Routers.entries[i], mle.RouterID(i)
		if r == nil {
			if l.Routers.IsAssigned(id) {
				return fmt.Errorf("router %v is assigned, and nothing", id)
			}
			continue
		}
		if r.State() != Invalid && !l.Routers.IsAssigned(id) {
			return fmt.Errorf("router %v is not assigned, and %v", id, r.State())
		}
		if r.Valid() {
			valid[&r.Neighbor] = true
			links++
		}
		other := r.RLOC16 != l.Routers.Self
		if linked[id] != (r.Valid() && other) || (l.Routers.LinkedByRLOC16(id.RLOC16()) == r) != (r.Valid() && other) {
			return fmt.Errorf("router %v is %v; linked: %v", id, r.State(), linked[id])
		}
		if inContact[id] != (r.State() != Invalid && other) {
			return fmt.Errorf("router %v is %v; in contact: %v", id, r.State(), inContact[id])
		}
		if l.Routers.IsAssigned(id) && l.Routers.PathCost(r) > MaxRouteCost {
			return fmt.Errorf("the path to router %v costs %d", id, l.Routers.PathCost(r))
		}
	}
	if l.Routers.Links() != links {
		return fmt.Errorf("%d links, want %d", l.Routers.Links(), links)
	}
	if len(valid) != len(l.told) {
		return fmt.Errorf("%d links stand, told of %d", len(valid), len(l.told))
	}
	for n := range l.told {
		if !valid[n] {
			return fmt.Errorf("told of %x, which is %v", n.Ext, n.State())
		}
	}
	return nil
}

// Whatever happens, what is told comes in pairs: those that were added and not removed are the valid children and routers.
func TestTellsInPairs(t *testing.T) {
	for seed := range uint64(150) {
		l := newLife(t, seed)
		var history []string
		for range 150 {
			s := steps[l.rand.IntN(len(steps))]
			history = append(history, s.name)
			s.do(l)
			if err := l.check(); err != nil || t.Failed() {
				t.Fatalf("seed %d: %v\nafter %q", seed, err, history)
			}
		}
	}
}
