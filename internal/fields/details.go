package fields

import (
	"math"
	"time"

	"github.com/gopymesh/pymesh/internal/dissect"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Kind is what was sent of one kind of frame while a field was measured.
type Kind struct {
	Frames  int           `json:"frames"`
	Airtime time.Duration `json:"airtime_ns"`
}

// Link counts the frames that one node sent to another while a field was measured: those with the other's address, retries included.
type Link struct {
	From, To int // nodes, counted from 0
	Frames   int
}

// Contact is a pair of nodes of which at least one hears the other.
type Contact struct {
	A, B int     // nodes, counted from 0
	RSSI float64 // dBm, of the better direction
}

// Moment is the state of a field at a time.
type Moment struct {
	At         time.Duration // since the beginning
	Routers    int           // with leaders
	Children   int
	Detached   int // searching, or not yet switched on
	Partitions int
	Air        float64 // airtime of all nodes since the last Moment, as a share of the time
	Collided   uint64  // packets lost to others since the last Moment, counted at each receiver
}

// kinds looks into what is sent.
type kinds struct {
	net       *net
	dissector *dissect.Dissector
	kinds     map[string]Kind
	links     map[[2]int]int
}

func newKinds(n *net) *kinds {
	return &kinds{n, dissect.New(meshtest.NetworkKey), map[string]Kind{}, map[[2]int]int{}}
}

// watch is told of each transmission.
func (k *kinds) watch(t lorasim.Transmission) {
	f := k.dissector.Dissect(t.Start, t.Packet)
	if k.net.begun < 0 {
		return
	}
	name := f.Protocol()
	kind := k.kinds[name]
	kind.Frames++
	kind.Airtime += t.Airtime
	k.kinds[name] = kind
	if to, ok := k.net.addressee(f.MAC.Dst); ok && to != t.From {
		k.links[[2]int{t.From, to}]++
	}
}

// contacts lists who hears whom.
func (n *net) contacts() (list []Contact) {
	least := n.config.Sensitivity()
	if n.trial.Air.PHY != lorasim.LoRa {
		least = math.Inf(-1)
	}
	for i, a := range n.nodes {
		for j, b := range n.nodes[:i] {
			rssi := max(n.RSSI(a.Node, b.Node), n.RSSI(b.Node, a.Node))
			if rssi >= least && !math.IsInf(rssi, -1) {
				list = append(list, Contact{j, i, rssi})
			}
		}
	}
	return list
}

// addressee returns the node with a link-layer address. Those of programs are known by their extended addresses alone.
func (n *net) addressee(a ieee802154.Addr) (int, bool) {
	switch a.Mode {
	case ieee802154.AddrModeShort:
		i, ok := n.places[mle.RLOC16(a.Short)]
		return i, ok && !a.IsBroadcast()
	case ieee802154.AddrModeExt:
		i := int(a.Ext[6])<<8 | int(a.Ext[7])
		return i - 1, i > 0 && i <= len(n.nodes) && a.Ext == meshtest.ExtAddr(i)
	}
	return 0, false
}

// often is how often a Moment is noted.
const often = time.Minute

// sample notes a Moment, when it is time.
func (n *net) sample() {
	now := n.elapsed()
	if !n.trial.Details || len(n.timeline) > 0 && now < n.timeline[len(n.timeline)-1].At+often {
		return
	}
	m := Moment{At: now, Partitions: len(n.partitions)}
	for _, x := range n.nodes {
		switch {
		case x.role >= thread.RoleRouter:
			m.Routers++
		case x.role == thread.RoleChild:
			m.Children++
		default:
			m.Detached++
		}
	}
	stats := n.Stats()
	if len(n.timeline) > 0 {
		last := &n.timeline[len(n.timeline)-1]
		since := stats.Since(n.sampled)
		m.Air, m.Collided = since.Airtime.Seconds()/(now-last.At).Seconds(), since.Collided
	}
	n.sampled = stats
	n.timeline = append(n.timeline, m)
}

// Progress tells where a trial is.
type Progress struct {
	Forming    bool          // not yet measured
	Elapsed    time.Duration // since the beginning
	Share      float64       // of the measurement that is done, 0 to 1
	Nodes      int
	Attached   int
	Partitions int
}

// report tells how far the trial is.
func (n *net) report() {
	if n.trial.Progress == nil {
		return
	}
	p := Progress{Forming: n.begun < 0, Elapsed: n.elapsed(), Nodes: len(n.nodes), Attached: n.attached, Partitions: len(n.partitions)}
	if !p.Forming {
		p.Share = (p.Elapsed - n.begun).Seconds() / n.trial.Measure.Seconds()
	}
	n.trial.Progress(p)
}
