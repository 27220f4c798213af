package thread

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/mle"
)

// Hints are answers of a deputy to questions that were not heard. A board that gets a datagram asks where its sender is, to answer it. It does so when
// it has sent what was before that, two seconds later for each frame that nobody has acknowledged; its question is sent twice, and both may meet
// another frame; and after three seconds it gives up, and what it gets from there in the next 15 s stays unanswered. So the last hop before it tells
// it, until it answers. Who has not asked, or knows already, ignores that.
//
//	datagram ─► board beside this node ─► its answer passes: it knows
//	                                 └──► nothing for a while ─► Address Notification, three times
//
// Deviation: for stock only questions are answered. Of pings between boards in a grid of 16, half of them boards, one in eight arrived, and was not answered.

// A written is when a neighbor has sent something to a place.
type written struct {
	at       time.Time
	from, to mle.RLOC16
}

// maxHints is how often a board is told where to answer, hintPause the pause before that, in halves of the time of the longest frame; each further
// one is longer by half of it.
const maxHints, hintPause = 3, 9

// delivered notes that a datagram of src, which is at a place, has reached a node. If that is a board beside this node, it is going to ask where src
// is, to answer it; its question may meet another frame.
func (d *deputy) delivered(to mle.RLOC16, src netip.Addr, at mle.RLOC16) {
	if to == at || !d.active() || !d.addresses.Prefix().Contains(src) {
		return
	}
	if n := d.beside(to); n == nil || !n.FullThreadDevice() {
		return
	}
	for i := range d.wrote {
		if w := &d.wrote[i]; w.from == to && w.to == at && d.Now.Sub(w.at) < askedAgain {
			return // it knows
		}
	}
	if _, locator := d.addresses.Locator(src); !locator {
		d.plan(deputyAnswer{asker: to, target: src, own: at == d.rloc, hint: true})
	}
}

// answered notes that a datagram of a node has come, which is for the address of another one at a place: it knows where that is.
func (d *deputy) answered(from, to mle.RLOC16, address netip.Addr) {
	if _, locator := d.addresses.Locator(address); locator || !d.active() || d.beside(from) == nil {
		return
	}
	i := slices.IndexFunc(d.wrote[:], func(w written) bool { return w.from == from && w.to == to })
	if i < 0 {
		i = d.nextWrote
		d.nextWrote = (i + 1) % len(d.wrote)
	}
	d.wrote[i] = written{d.Now, from, to}
	d.answers = slices.DeleteFunc(d.answers, func(a deputyAnswer) bool {
		rloc, _, ok := d.where(a.target)
		return a.hint && a.asker == from && (a.own && to == d.rloc || ok && rloc == to)
	})
}
