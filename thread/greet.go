package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Boards ask a router whose Advertisement they hear for a link, if they have none, all of them at the same moment. They do not hear each other before
// they send: their requests meet, four times, for eight seconds in which they send nothing else, and again after the next Advertisement. As long as
// such a request is open, for ten seconds, they take none. So a router asks them after that, one after the other, and advertises no more before.
//
//	own Advertisement ─► boards without a link ask ─► 11 s ─► each is asked for a link ─► own Advertisement
//
// Deviation: stock's routers ask whom they hear, when they hear it. Three boards and a router had no links for ten minutes.

// greetPause is the time between two of the requests by which boards are asked for a link, in times of the longest frame, greetFor how long ago the
// board may have been heard.
const greetPause, greetFor = 8, 3 * time.Minute

// heardBoard notes that a router was heard to which there is no link. It reports true for a board that cannot be asked now.
func (l *links) heardBoard(r *neighbors.Router, a advertised, info mleInfo) bool {
	if !l.quiet.possible() || !info.news {
		return false
	}
	r.Foreign = a.dropped < 0
	if !r.Foreign || r.State() != neighbors.Invalid || !l.routes.hearsWell(info) {
		return false
	}
	r.Ext, r.HeardWell = info.ext, l.Now
	r.Link.Reset(&l.scale, info.rssi)
	return l.isBusy()
}

// isBusy reports whether boards that have no link to this node are still asking for it.
func (l *links) isBusy() bool {
	return !l.routes.advertised.IsZero() && l.Now.Sub(l.routes.advertised) < l.timing.LinkRequest+time.Second
}

// shy reports whether a router is a board that is to be asked for a link before the next Advertisement: there is none, or it knows of none.
func (l *links) shy(r *neighbors.Router) bool {
	if !r.Foreign || r.Greeted.After(l.routes.advertised) {
		return false
	}
	if r.Valid() {
		return r.QualityOut == 0
	}
	return r.State() == neighbors.Invalid && !r.HeardWell.IsZero() && l.Now.Sub(r.HeardWell) < greetFor
}

// greets reports whether an Advertisement waits until boards have been asked for links.
func (l *links) greets() bool {
	if !l.isRouter() || !l.quiet.possible() || l.quiet.now() || l.routes.advertised.IsZero() {
		return false
	}
	n := 0
	for _, r := range l.neighbors.Routers.All() {
		if l.shy(r) {
			n++
		}
	}
	return n > 1 && l.Now.Sub(l.routes.advertised) < l.timing.AdvertiseMax
}

// greet asks a board for a link, when it is time: it is called each second.
func (l *links) greet() {
	if !l.isRouter() || !l.quiet.possible() || l.quiet.now() || !l.attach.staying() || l.isBusy() || l.Now.Before(l.greetAfter) {
		return
	}
	for _, r := range l.neighbors.Routers.All() {
		if !l.shy(r) {
			continue
		}
		r.Greeted, l.greetAfter = l.Now, l.Now.Add(greetPause*l.timing.FrameTime)
		if !r.Valid() {
			r.Opened, r.Again, r.Challenge = l.Now, 0, mle.Challenge{}
			l.neighbors.Change(&r.Neighbor, neighbors.LinkRequest)
		}
		l.request(r)
		return
	}
}
