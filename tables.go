package pymesh

import (
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Neighbor is a node with a direct radio connection.
type Neighbor struct {
	MAC    MAC
	Role   State  // StateChild or StateRouter; the leader is shown as a router
	RLOC16 RLOC16 // routing locator
	// RSSI is the average received signal strength in dBm, LastRSSI that of the last packet; RSSIUnknown if not known. Below the noise, where
	// LoRa still hears, it is the strength of the signal alone.
	RSSI, LastRSSI int
	// SNR is the signal to noise ratio of the last packet in dB, as the radio tells it, in quarters; [SNRUnknown] if it has not. LoRa hears down
	// to -7.5 dB at SF7 and 2.5 dB less with each step of SF, see SNRLimit in package lora; from 5 dB on the chips' figure says little.
	SNR float64
	// Margin is how many dB the average is above the least that this radio receives at its settings, 0 to 255: 10 is a good link, 3 one that
	// comes and goes.
	Margin int
	// QualityIn and QualityOut are 0 to 3, what this node makes of what it hears, and what the neighbor has told of the other direction.
	QualityIn, QualityOut int
	Age                   time.Duration // since the last packet was received from it
}

// String returns the neighbor in one line.
func (n Neighbor) String() string {
	snr := ""
	if n.SNR != SNRUnknown {
		snr = fmt.Sprintf(", SNR %.2f dB", n.SNR)
	}
	return fmt.Sprintf("%v %v %v RSSI %d dBm, last %d dBm%s, margin %d dB, quality in %d out %d, age %v", n.MAC, n.Role, n.RLOC16, n.RSSI, n.LastRSSI, snr,
		n.Margin, n.QualityIn, n.QualityOut, n.Age.Round(time.Second))
}

// Neighbors returns the nodes with a direct radio connection.
func (n *Node) Neighbors() []Neighbor {
	return get(n, func(e *thread.Engine) (list []Neighbor) {
		for _, i := range e.Neighbors() {
			list = append(list, Neighbor{
				MAC: macOf(i.ExtAddr), Role: State(i.Role), RLOC16: RLOC16(i.RLOC16), RSSI: i.RSSI, LastRSSI: i.LastRSSI, SNR: i.SNR,
				Margin: int(i.LinkMargin), QualityIn: int(i.LinkQualityIn), QualityOut: int(i.LinkQualityOut), Age: i.Age,
			})
		}
		return list
	})
}

// Router is a node that relays packets inside the mesh.
type Router struct {
	MAC    MAC // 0 if this node has not had a radio connection to it
	RLOC16 RLOC16
	ID     uint8 // router ID
	// PathCost is the cost of the path behind the first hop: 0 for a neighbor and for the node itself, in a row of nodes with good
	// links 1 for the second next, and so on.
	PathCost uint8
	// NextHop is the RLOC16 of the first router on the way, of this one where the connection is direct; NoRLOC16 if there is no way.
	NextHop RLOC16
	Age     time.Duration // since the last keep-alive was received from it
}

// String returns the router in one line.
func (r Router) String() string {
	return fmt.Sprintf("%v %v id %d, path cost %d, next hop %v, age %v", r.MAC, r.RLOC16, r.ID, r.PathCost, r.NextHop, r.Age.Round(time.Second))
}

// Routers returns all routers of the mesh.
func (n *Node) Routers() []Router {
	return get(n, func(e *thread.Engine) (list []Router) {
		infos := e.Routers()
		links := map[mle.RouterID]int{}
		for _, i := range infos {
			links[i.ID] = linkCost(i)
		}
		for _, i := range infos {
			r := Router{
				MAC: macOf(i.ExtAddr), RLOC16: RLOC16(i.RLOC16), ID: uint8(i.ID), NextHop: NoRLOC16, Age: i.Age,
			}
			switch own := e.RLOC16(); {
			case i.NextHop.Valid() && int(i.PathCost)+links[i.NextHop] < links[i.ID]:
				r.NextHop, r.PathCost = RLOC16(i.NextHop.RLOC16()), i.PathCost
			case i.LinkEstablished, i.RLOC16 == own:
				r.NextHop = r.RLOC16
			case own.IsChild(): // all ways lead over the parent
				r.NextHop = RLOC16(own.RouterID().RLOC16())
			}
			list = append(list, r)
		}
		return list
	})
}

// linkCost is the cost of the direct link to a router (Thread 1.1 §5.4.2). A node that has one may know a way over others too.
func linkCost(r thread.RouterInfo) int {
	const none = 16 // the maximum route cost
	if !r.LinkEstablished {
		return none
	}
	return [...]int{none, 4, 2, 1}[min(r.LinkQualityIn, r.LinkQualityOut)]
}

// Leader describes the mesh's leader.
type Leader struct {
	PartitionID uint32
	MAC         MAC // 0 if this node has not had a radio connection to the leader
	RLOC16      RLOC16
}

// String returns the leader in one line.
func (l Leader) String() string {
	return fmt.Sprintf("%v %v, partition %d", l.MAC, l.RLOC16, l.PartitionID)
}

// Leader returns the leader, and false if the node is not part of a mesh.
func (n *Node) Leader() (leader Leader, ok bool) {
	n.run.Do(func(time.Time) {
		var i thread.LeaderInfo
		if i, ok = n.engine.Leader(); ok {
			leader = Leader{PartitionID: i.PartitionID, MAC: macOf(i.ExtAddr), RLOC16: RLOC16(i.RLOC16)}
		}
	})
	return leader, ok
}
