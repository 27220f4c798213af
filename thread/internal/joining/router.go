package joining

import (
	"errors"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

// errRelayed says that a message of the commissioner's makes no sense.
var errRelayed = errors.New("thread: malformed relayed message")

// Bounds for those who are no part of the mesh, and may be anybody, under any address. Times are in those of the longest frame on the air.
const (
	maxJoiners   = 8  // whose share is known at a time
	maxEntrusts  = 4  // that wait for the one before
	joinerBurst  = 8  // datagrams of one joiner at once: a handshake has five
	joinerEvery  = 50 // and after that
	relayBurst   = 24 // datagrams of all joiners at once
	relayEvery   = 25 // and after that, of about five frames on each hop
	maxDatagram  = 1024
	welcomeTimes = 500 // how long a joiner is known after the commissioner has last sent it something
)

// An Entrust is the order to give a joiner the network's key, secured with a KEK.
type Entrust struct {
	Joiner ieee802154.ExtAddr
	KEK    [16]byte
}

// A Router is a joiner router (Thread 1.1 §8.4.4.2): it passes on what joiners send, within bounds, and what the commissioner sends to them.
type Router struct {
	// Refused counts datagrams of joiners that were not passed on, since they were too many or too long.
	Refused uint64

	core    *core.Core
	frame   time.Duration
	all     core.Bucket
	joiners []guest

	entrusts []Entrust // the first is under way if busy
	busy     bool
}

// A guest is who has sent something lately, and what is left of its share.
type guest struct {
	ext   ieee802154.ExtAddr
	share core.Bucket
	last  time.Time
	until time.Time // when it is not known to the commissioner any more
}

// NewRouter returns a Router on a radio on which the longest frame takes a time.
func NewRouter(c *core.Core, frame time.Duration) *Router { return &Router{core: c, frame: frame} }

// Relay reports whether a datagram of a joiner is to be passed on, and counts it.
func (r *Router) Relay(from ieee802154.ExtAddr, datagram []byte) bool {
	all, each := core.Rate{Every: relayEvery * r.frame, Burst: relayBurst}, core.Rate{Every: joinerEvery * r.frame, Burst: joinerBurst}
	g := r.guest(from)
	if len(datagram) == 0 || len(datagram) > maxDatagram || !g.share.Ready(r.core.Now, each) || !r.all.Ready(r.core.Now, all) {
		r.Refused++
		return false
	}
	g.share.Take(r.core.Now, each)
	r.all.Take(r.core.Now, all)
	g.last = r.core.Now
	return true
}

// guest finds the record of a joiner, or makes one: in the place of who has been silent for longest, those that the commissioner knows last.
func (r *Router) guest(ext ieee802154.ExtAddr) *guest {
	oldest := 0
	for i := range r.joiners {
		g := &r.joiners[i]
		if g.ext == ext {
			return g
		}
		if o := &r.joiners[oldest]; g.known(r.core.Now) == o.known(r.core.Now) && g.last.Before(o.last) || !g.known(r.core.Now) && o.known(r.core.Now) {
			oldest = i
		}
	}
	if len(r.joiners) < maxJoiners {
		r.joiners = append(r.joiners, guest{ext: ext})
		return &r.joiners[len(r.joiners)-1]
	}
	r.joiners[oldest] = guest{ext: ext}
	return &r.joiners[oldest]
}

func (g *guest) known(now time.Time) bool { return now.Before(g.until) }

// Known reports whether the commissioner has lately sent something to a joiner, and so is interested in it.
func (r *Router) Known(ext ieee802154.ExtAddr) bool {
	return slices.ContainsFunc(r.joiners, func(g guest) bool { return g.ext == ext && g.known(r.core.Now) })
}

// Transmit takes a RLY_TX: what is to be sent to a joiner, whose address is returned. If it has a KEK, Next will have the joiner entrusted.
func (r *Router) Transmit(payload []byte) (m meshcop.Relayed, to ieee802154.ExtAddr, err error) {
	if m, err = meshcop.ParseRelayed(payload); err != nil {
		return m, to, errRelayed
	}
	to = extOf(m.IID)
	r.guest(to).until = r.core.Now.Add(welcomeTimes * r.frame)
	if e := (Entrust{Joiner: to, KEK: m.KEK}); m.HasKEK && !slices.Contains(r.entrusts, e) && len(r.entrusts) < maxEntrusts {
		r.entrusts = append(r.entrusts, e)
	}
	return m, to, nil
}

// extOf is the extended address that an interface identifier follows from (RFC 4291, appendix A).
func extOf(iid [8]byte) ieee802154.ExtAddr {
	iid[0] ^= 2
	return iid
}

// IIDOf is the interface identifier of an extended address.
func IIDOf(ext ieee802154.ExtAddr) [8]byte {
	ext[0] ^= 2
	return ext
}

// Next returns a joiner that is to be entrusted, one after the other: there is one KEK at a time. Entrusted must follow.
func (r *Router) Next() (Entrust, bool) {
	if r.busy || len(r.entrusts) == 0 {
		return Entrust{}, false
	}
	r.busy = true
	return r.entrusts[0], true
}

// Entrusted says that a joiner has confirmed that it has the key, or has not answered.
func (r *Router) Entrusted() {
	if r.busy {
		r.busy, r.entrusts = false, r.entrusts[1:]
	}
}

// Stop forgets all joiners, because nobody may join any more.
func (r *Router) Stop() { r.joiners, r.entrusts, r.busy = nil, nil, false }
