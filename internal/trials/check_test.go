package trials

import (
	"fmt"

	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// inconsistencies tells where the tables of the nodes of one partition do not fit together.
func inconsistencies(m *meshtest.Mesh) (found []string) {
	note := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	owner := map[mle.RLOC16]int{}
	for i, n := range m.Nodes {
		if k, taken := owner[n.RLOC16()]; taken {
			note("nodes %d and %d both have RLOC16 %v", k+1, i+1, n.RLOC16())
		}
		owner[n.RLOC16()] = i
	}
	routers := 0
	for i, n := range m.Nodes {
		switch n.Role() {
		case thread.RoleRouter, thread.RoleLeader:
			routers++
		case thread.RoleChild:
			k, ok := owner[n.RLOC16().RouterID().RLOC16()]
			if !ok {
				note("node %d, %v, has no parent", i+1, n.RLOC16())
			} else if !knows(m.Nodes[k], n, thread.RoleChild) {
				note("node %d, %v, is no child of node %d", i+1, n.RLOC16(), k+1)
			}
		}
	}
	for i, n := range m.Nodes {
		if !n.Mode().Has(mle.ModeFullThreadDevice) {
			continue // nobody tells it of the routers
		}
		for _, r := range n.Routers() {
			if _, ok := owner[r.RLOC16]; !ok {
				note("node %d, %v, knows a router %v that is not there", i+1, n.RLOC16(), r.RLOC16)
			}
		}
		if got := len(n.Routers()); n.Role() != thread.RoleChild && got != routers {
			note("node %d, %v, knows %d routers of %d", i+1, n.RLOC16(), got, routers)
		}
	}
	return found
}

// knows reports whether a node has another one as its neighbor in a role, at its RLOC16.
func knows(n, other *meshtest.Node, role thread.Role) bool {
	for _, x := range n.Neighbors() {
		if x.ExtAddr == other.ExtAddr() && x.RLOC16 == other.RLOC16() && x.Role == role {
			return true
		}
	}
	return false
}

// A ledger holds what the events of a node say of its neighbors.
type ledger struct {
	engine *thread.Engine
	links  map[link]bool
	wrong  []string
}

type link struct {
	ext  ieee802154.ExtAddr
	role thread.Role
}

// read takes the events of a node. A node that has been restarted begins with none.
func (l *ledger) read(n *meshtest.Node) {
	if l.engine != n.Engine {
		l.engine, l.links = n.Engine, map[link]bool{}
	}
	for {
		ev, ok := n.PollEvent()
		if !ok {
			return
		}
		k := link{ev.ExtAddr, thread.RoleRouter}
		if ev.Type == thread.EventChildAdded || ev.Type == thread.EventChildRemoved {
			k.role = thread.RoleChild
		}
		switch ev.Type {
		case thread.EventChildAdded, thread.EventNeighborAdded:
			if l.links[k] {
				l.wrong = append(l.wrong, fmt.Sprintf("%v %v, which was there", ev.Type, ev.ExtAddr))
			}
			l.links[k] = true
		case thread.EventChildRemoved, thread.EventNeighborRemoved:
			if !l.links[k] {
				l.wrong = append(l.wrong, fmt.Sprintf("%v %v, which was not there", ev.Type, ev.ExtAddr))
			}
			delete(l.links, k)
		}
	}
}

// settle compares what the events said with what the node has. A child does not list the routers that it listens to beside its parent.
func (l *ledger) settle(n *meshtest.Node) []string {
	l.read(n)
	if n.Role() == thread.RoleChild {
		return l.wrong
	}
	left := l.links
	l.links = map[link]bool{}
	for _, x := range n.Neighbors() {
		k := link{x.ExtAddr, x.Role}
		if !left[k] {
			l.wrong = append(l.wrong, fmt.Sprintf("no event told of the %v %v", x.Role, x.ExtAddr))
		}
		delete(left, k)
	}
	for k := range left {
		l.wrong = append(l.wrong, fmt.Sprintf("no event told that the %v %v is gone", k.role, k.ext))
	}
	return l.wrong
}
