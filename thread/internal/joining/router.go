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
	maxJoiners  = 8 // whose share is known at a time
	maxEntrusts = 4 // that wait for the one before
	maxDatagram = 1024
	entrustFor  = 100 // how long a joiner may take to confirm that it has the key, minEntrust at least
	knownFor    = 500 // how long a joiner is known after the commissioner has last sent it something

	// Somebody who has not got more than a cookie from the commissioner, and all of them together. A hello is six frames on each hop, and a cookie
	// one or two: in the long run they cost half a percent of the air. Who is entrusted with the key at last has cost nothing.
	strangerBurst, strangerEvery   = 6, 500
	strangersBurst, strangersEvery = 24, 2000
	// Who has shown the cookie, and that the commissioner waits for it. It talks to few at a time.
	guestBurst, guestEvery = 16, 50
	// mostCookie is the size in bytes of the largest datagram that the commissioner sends to who is not there yet.
	mostCookie = 128
)

const minEntrust = 10 * time.Second

// An Entrust is the order to give a joiner the network's key, secured with a KEK.
type Entrust struct {
	Joiner ieee802154.ExtAddr
	KEK    [16]byte
}

// A Router is a joiner router (Thread 1.1 §8.4.4.2): it passes on what joiners send, within bounds, and what the commissioner sends to them.
type Router struct {
	// Refused counts datagrams of joiners that were not passed on, since they were too many or too long.
	Refused uint64

	core      *core.Core
	frame     time.Duration
	strangers core.Bucket
	joiners   []guest

	entrusts []Entrust // the first is under way if busy
	busy     bool
	until    time.Time // when it is given up
}

// A guest is who has sent something lately, and what is left of its share.
type guest struct {
	ext   ieee802154.ExtAddr
	share core.Bucket
	last  time.Time
	known time.Time // until when the commissioner knows it
	spent int       // of the share of all strangers
}

// allStrangers is the rate of all together.
func (r *Router) allStrangers() core.Rate {
	return core.Rate{Every: strangersEvery * r.frame, Burst: strangersBurst}
}

// Known reports whether the commissioner has found that a joiner is there.
func (r *Router) Known(ext ieee802154.ExtAddr) bool { return r.guest(ext).isKnown(r.core.Now) }

// NewRouter returns a Router on a radio on which the longest frame takes a time.
func NewRouter(c *core.Core, frame time.Duration) *Router { return &Router{core: c, frame: frame} }

// Relay reports whether a datagram of a joiner is to be passed on, and counts it.
func (r *Router) Relay(from ieee802154.ExtAddr, datagram []byte) bool {
	g := r.guest(from)
	ok := len(datagram) > 0 && len(datagram) <= maxDatagram
	if g.isKnown(r.core.Now) {
		ok = ok && take(r.core.Now, &g.share, core.Rate{Every: guestEvery * r.frame, Burst: guestBurst})
	} else {
		ok = ok && take(r.core.Now, &g.share, core.Rate{Every: strangerEvery * r.frame, Burst: strangerBurst}) &&
			take(r.core.Now, &r.strangers, r.allStrangers())
		if ok {
			g.spent++
		}
	}
	if g.last = r.core.Now; !ok {
		r.Refused++
	}
	return ok
}

func take(now time.Time, b *core.Bucket, rate core.Rate) bool {
	if !b.Ready(now, rate) {
		return false
	}
	b.Take(now, rate)
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
		if o := &r.joiners[oldest]; g.isKnown(r.core.Now) == o.isKnown(r.core.Now) && g.last.Before(o.last) || !g.isKnown(r.core.Now) && o.isKnown(r.core.Now) {
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

func (g *guest) isKnown(now time.Time) bool { return now.Before(g.known) }

// Transmit takes a RLY_TX: what is to be sent to a joiner, whose address is returned. If it has a KEK, Next will have the joiner entrusted.
func (r *Router) Transmit(payload []byte) (m meshcop.Relayed, to ieee802154.ExtAddr, err error) {
	if m, err = meshcop.ParseRelayed(payload); err != nil {
		return m, to, errRelayed
	}
	to = extOf(m.IID)
	if g := r.guest(to); len(m.Datagram) > mostCookie || g.isKnown(r.core.Now) {
		if !g.isKnown(r.core.Now) {
			g.share = core.Bucket{}
		}
		g.known = r.core.Now.Add(knownFor * r.frame)
	}
	if g := r.guest(to); m.HasKEK {
		r.strangers.Return(g.spent, r.allStrangers())
		g.spent = 0
	}
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
	r.busy, r.until = true, r.core.Now.Add(max(minEntrust, entrustFor*r.frame))
	return r.entrusts[0], true
}

// NextTimeout returns when the joiner that is being entrusted is to be given up, by Entrusted: others wait. It is false if there is none.
func (r *Router) NextTimeout() (time.Time, bool) { return r.until, r.busy }

// Entrusted says that a joiner has confirmed that it has the key, or has not answered.
func (r *Router) Entrusted() {
	if r.busy {
		r.busy, r.entrusts = false, r.entrusts[1:]
	}
}

// Stop forgets all joiners, because nobody may join any more.
func (r *Router) Stop() { r.joiners, r.entrusts, r.busy = nil, nil, false }
