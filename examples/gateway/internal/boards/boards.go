// Package boards is the other end of a conversation with Pycom's library, see package pycom: it answers what boards ask, keeps what they tell of
// themselves, and knows which texts have come.
//
// It sends nothing and has no clock: what is to be sent it returns, and the time is an argument.
package boards

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gopymesh/pymesh/examples/gateway/internal/pycom"
)

// Bounds.
const (
	maxBoards  = 256
	maxWaiting = 64
	maxLinks   = 32 // neighbors that an answer lists: it has to fit into few frames
)

// ErrBusy says that too many texts wait for an answer.
var ErrBusy = errors.New("boards: too many texts wait for an answer")

// Board is what a board has told of itself.
type Board struct {
	MAC  uint16
	Seen time.Time // when it was last heard
	// Told says that Info has been told, by the board or by a neighbor of it.
	Told bool
	Info pycom.Info
}

// Mesh is what the boards may ask for.
type Mesh interface {
	// MAC is this node's.
	MAC() uint64
	// Describe returns what this node is: place and neighbors.
	Describe() pycom.Info
	// Nodes lists the nodes of the mesh, and Pairs their links.
	Nodes() []uint16
	Pairs() []pycom.Pair
}

// text is one that waits for the board to say that it has come.
type text struct {
	to   uint16
	done chan struct{}
}

// Boards keeps the conversations of a node. Its methods may be called by many goroutines at once.
type Boards struct {
	mesh Mesh

	mu      sync.Mutex
	next    uint16
	waiting map[uint16]text // by identifier
	known   map[uint16]Board
}

// New returns one for a node. The identifiers of its texts begin at first: another one at each start, so that a late answer to a text of the
// last life is not one to a text of this.
func New(m Mesh, first uint16) *Boards {
	return &Boards{mesh: m, next: first, waiting: map[uint16]text{}, known: map[uint16]Board{}}
}

// Text makes a text for the board whose MAC address ends with to. Arrived is closed when the board says that it has come. The caller calls
// forget when it waits no longer.
func (b *Boards) Text(to uint16, s string) (p pycom.Packet, arrived <-chan struct{}, forget func(), err error) {
	if len(s) > pycom.MaxText {
		return pycom.Packet{}, nil, nil, pycom.ErrTooLong
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) >= maxWaiting {
		return pycom.Packet{}, nil, nil, ErrBusy
	}
	for b.waiting[b.next].done != nil {
		b.next++
	}
	id := b.next
	b.next++
	t := text{to, make(chan struct{})}
	b.waiting[id] = t
	forget = func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.waiting[id] == t {
			delete(b.waiting, id)
		}
	}
	return pycom.Packet{Kind: pycom.KindText, Text: pycom.Text{MAC: b.mesh.MAC(), ID: id, Text: s}}, t.done, forget, nil
}

// Heard takes a packet of the board whose MAC address ends with from, 0 if that is not known, and returns the answer to it, if there is one.
func (b *Boards) Heard(now time.Time, from uint16, p pycom.Packet) (answer pycom.Packet, ok bool) {
	switch p.Kind {
	case pycom.KindText:
		b.seen(now, uint16(p.Text.MAC))
		return pycom.Packet{Kind: pycom.KindReceived, Received: pycom.Received{MAC: b.mesh.MAC(), ID: p.Text.ID}}, true
	case pycom.KindReceived:
		b.seen(now, uint16(p.Received.MAC))
		b.arrived(p.Received)
	case pycom.KindInfo, pycom.KindNeighbors:
		b.told(now, from, p.Info)
	case pycom.KindAskInfo:
		b.seen(now, from)
		return b.info(p.About)
	case pycom.KindAskNeighbors:
		b.seen(now, from)
		return pycom.Packet{Kind: pycom.KindNeighbors, Info: b.describe()}, true
	case pycom.KindAskNodes:
		b.seen(now, from)
		nodes := b.mesh.Nodes()
		return pycom.Packet{Kind: pycom.KindNodes, Nodes: nodes[:min(len(nodes), pycom.MaxNodes)]}, true
	case pycom.KindAskPairs:
		b.seen(now, from)
		pairs := b.mesh.Pairs()
		return pycom.Packet{Kind: pycom.KindPairs, Pairs: pairs[:min(len(pairs), pycom.MaxNodes)]}, true
	}
	return pycom.Packet{}, false
}

// arrived notes that a text has come.
func (b *Boards) arrived(r pycom.Received) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t, ok := b.waiting[r.ID]; ok && t.to == uint16(r.MAC) {
		close(t.done)
		delete(b.waiting, r.ID)
	}
}

// seen notes that a board is one, and lives.
func (b *Boards) seen(now time.Time, mac uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keep(mac, func(o *Board) { o.Seen = now })
}

// told notes what is told of a board, by itself or by another.
func (b *Boards) told(now time.Time, from uint16, i pycom.Info) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keep(i.MAC, func(o *Board) {
		if o.Told && o.Info.Role != pycom.RoleChild && i.Role == pycom.RoleChild {
			return // it has told more of itself
		}
		o.Told, o.Info = true, i
		if i.MAC == from || from == 0 {
			o.Seen = now
		}
	})
}

// keep changes what is known of a board. When there are too many, the one that was silent for longest goes. b.mu is held.
func (b *Boards) keep(mac uint16, change func(*Board)) {
	o, known := b.known[mac]
	if mac == 0 || mac == uint16(b.mesh.MAC()) {
		return
	}
	if !known && len(b.known) >= maxBoards {
		oldest := slices.MinFunc(slices.Collect(maps.Values(b.known)), func(a, b Board) int { return a.Seen.Compare(b.Seen) })
		delete(b.known, oldest.MAC)
	}
	o.MAC = mac
	change(&o)
	b.known[mac] = o
}

// Known returns the boards that have been heard, by MAC address.
func (b *Boards) Known() []Board {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.SortedFunc(maps.Values(b.known), func(a, b Board) int { return cmp.Compare(a.MAC, b.MAC) })
}

func (b *Boards) describe() pycom.Info {
	i := b.mesh.Describe()
	i.Role, i.MAC = pycom.RoleRouter, uint16(b.mesh.MAC())
	i.Neighbors = i.Neighbors[:min(len(i.Neighbors), maxLinks)]
	return i
}

// info answers as the library does: what it knows of a node, as a router or as somebody's neighbor, and nothing of others.
func (b *Boards) info(mac uint16) (pycom.Packet, bool) {
	own := b.describe()
	if mac == own.MAC {
		return pycom.Packet{Kind: pycom.KindInfo, Info: own}, true
	}
	for _, n := range own.Neighbors {
		if n.MAC == mac {
			return pycom.Packet{Kind: pycom.KindInfo, Info: pycom.Info{Role: pycom.RoleChild, MAC: mac, RLOC16: n.RLOC16, Link: n}}, true
		}
	}
	return pycom.Packet{}, false
}
