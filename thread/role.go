package thread

import (
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Role is a node's part in the network. The numbers are those of the Pymesh API's state().
//
//	          Start            Child ID Response          router ID granted
//	Disabled ───────► Detached ─────────────────► Child ───────────────────► Router
//	   ▲               │  ▲  ▲                    │  ▲                        │  │
//	   │ Stop,         │  │  └── parent lost ─────┘  └─ too many routers, ────┘  │
//	   │ from any role │  │                             a better partition,      │
//	   │               │  │                             no leader heard of       │
//	   │               │  └──────── router ID taken back ───────────────────────┘
//	   │               │
//	   │               │ no parent answers
//	   │               └──────────────────► Leader ── a better partition ──► Child
//
// A child that is its partition's last hope, no leader being heard of and no parent found, becomes Leader as well.
type Role uint8

// Roles.
const (
	RoleDisabled Role = iota
	RoleDetached
	RoleChild
	RoleRouter
	RoleLeader
)

func (r Role) String() string {
	switch r {
	case RoleDisabled:
		return "disabled"
	case RoleDetached:
		return "detached"
	case RoleChild:
		return "child"
	case RoleRouter:
		return "router"
	case RoleLeader:
		return "leader"
	}
	return fmt.Sprintf("Role(%d)", uint8(r))
}

// self is what a node is: its role, its place in the mesh and the partition that it is in. The roles read it; becomeX alone changes it.
type self struct {
	*core.Core
	timing   *Timing
	counters *Counters
	scale    neighbors.Scale // of received power

	silence    func() time.Duration // since the last frame was heard
	load       func() float64       // share of the channel's time that others were heard to use lately
	mode       mle.Mode
	routerRole bool // the router role is not disabled
	role       Role
	rloc       mle.RLOC16
	leader     mle.LeaderData // without the versions of the network data, which networkdata.Data has
}

// isRouter reports whether the node routes for others.
func (s *self) isRouter() bool { return s.role == RoleRouter || s.role == RoleLeader }

// attached reports whether the node is part of a partition.
func (s *self) attached() bool { return s.role >= RoleChild }

// fullLoad is from where on a channel counts as full. Frames that collide are not heard, so that a channel on which all are waiting is heard
// half full at most.
const fullLoad = 0.35

// full reports whether the channel is heard so full that what can wait has to.
func (s *self) full() bool { return s.load() > fullLoad }

// sleepy reports whether the node listens only to what it has polled its parent for.
func (s *self) sleepy() bool { return !s.mode.Has(mle.ModeRxOnWhenIdle) }

func (s *self) fullThreadDevice() bool { return s.mode.Has(mle.ModeFullThreadDevice) }

// routerEligible reports whether the node may become a router.
func (s *self) routerEligible() bool { return s.routerRole && s.fullThreadDevice() }

// hearsWell reports whether a message was heard with the margin of a link.
func (s *self) hearsWell(info mleInfo) bool {
	return int(s.scale.Margin(info.rssi)) >= s.timing.LinkMargin
}

// ownID is the router ID of a router.
func (s *self) ownID() mle.RouterID { return s.rloc.RouterID() }

func (s *self) newChallenge() mle.Challenge {
	var b [8]byte
	s.RandomBytes(b[:])
	return mle.NewChallenge(b)
}

// transitions are the changes of role and place that a role brings about. Each resets all that belonged to the old state.
type transitions interface {
	// becomeDetached leaves the partition, whatever the role in it.
	becomeDetached()
	// becomeChild takes the place that the parent has given.
	becomeChild(rloc mle.RLOC16)
	// becomeRouter takes a router ID that the leader has assigned.
	becomeRouter(id mle.RouterID)
	// becomeLeader starts to lead the partition, under router ID id.
	becomeLeader(id mle.RouterID)
	// enterPartition makes d's partition the one that the node is in.
	enterPartition(d mle.LeaderData)
	// enterSuccession is for a router whose partition has another leader and another ID now, and is the same otherwise.
	enterSuccession(d mle.LeaderData)
	// setRLOC16 moves the node to another place of the mesh.
	setRLOC16(rloc mle.RLOC16)
	// drop ends the link to a neighbor, whatever it is to this node, with all that follows.
	drop(n *neighbors.Neighbor)
	// networkChanged follows a dataset that says otherwise than the configuration, or the dataset before.
	networkChanged()
	// leaveNetwork says that the node is in no partition: its own datasets count.
	leaveNetwork()
	// policyChanged follows the security policy.
	policyChanged()
	// networkDataChanged follows other network data.
	networkDataChanged()
	// changed says that what a restart needs to know has changed.
	changed()
}
