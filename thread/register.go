package thread

import (
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/internal/lasting"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/networkdata"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

const (
	// resubmitDelay is how long the leader has time to show what was registered (DATA_RESUBMIT_DELAY, Thread 1.1 §5.18).
	resubmitDelay = 5 * time.Minute
	// firstRetry is the pause after a registration that nobody has answered. It is doubled up to resubmitDelay.
	firstRetry = 15 * time.Second
)

// registrar tells the leader what this node offers, by Server Data Notifications (Thread 1.1 §5.18), until the leader's data has it: when the
// host wants it, and whenever data, place or leader have changed so that it has not.
//
//	check ─ in the data ──────────────────────────────► settled
//	   └─── not in them ─► Server Data Notification ─► accepted: wait for the data, again after resubmitDelay
//	                       └─► refused, no answer: again after a while
type registrar struct {
	*self
	local     *networkdata.Local
	netData   *networkdata.Data
	addresses *addresses.Table
	neighbors *neighbors.Table
	tmf       *tmfMessenger
	routes    *routes
	selection *selection
	leading   *leading
	events    *eventQueue

	timer     time.Time
	notBefore time.Time // nothing is registered
	open      uint32    // identifies the open request; 0 if none is open
	asked     uint32
	tries     int        // requests in a row that nobody has answered
	sent      []byte     // what the last request said,
	as        mle.RLOC16 // and as whom
	accepted  bool       // the leader has taken it
	known     mle.RLOC16 // as whom the leader knows this node, InvalidRLOC16 if not at all

	unanswered, refused lasting.Condition
}

// register tells the leader now. It fails with ErrState where that has to wait: until the node is part of a partition, or the router that it is
// about to become. It is then done by itself.
//
// Deviation: stock leaves it to chance when such a child becomes a router. Here it asks the leader at once.
func (r *registrar) register() error {
	r.sent, r.tries, r.accepted = nil, 0, false
	if r.upgrading() && !r.selection.asking() {
		r.selection.selectAt = r.Now
	}
	r.check()
	if !r.attached() || r.upgrading() {
		return ErrState
	}
	return nil
}

// upgrading reports whether the node is about to become a router, and to have another locator then.
func (r *registrar) upgrading() bool {
	return r.role == RoleChild && r.routerEligible() && r.neighbors.Routers.Active() < r.selection.upgradeAt &&
		(r.selection.asking() || !r.selection.selectAt.IsZero())
}

// settled reports whether the leader's data has all that this node offers, as far as the node can see: one that has the stable subset alone does
// not know the servers in it, and believes the leader's answer.
func (r *registrar) settled() bool {
	if r.mode.Has(mle.ModeFullNetworkData) {
		return r.local.In(r.netData, r.rloc)
	}
	if r.accepted {
		return r.as == r.rloc && slices.Equal(r.sent, r.local.AppendTLVs(nil, r.rloc))
	}
	return len(r.local.Entries()) == 0 && r.known == mle.InvalidRLOC16
}

// routingStarted says that the node is a router from now on. It registers once it can expect to have links: nobody takes a frame from it before.
func (r *registrar) routingStarted() {
	r.notBefore = r.Now
	if r.role == RoleRouter {
		r.notBefore = r.Now.Add(max(4*r.timing.AdvertiseMin, r.timing.LinkRequest))
	}
	r.check()
}

// check registers what the leader's data does not have yet.
func (r *registrar) check() {
	switch {
	case !r.attached() || r.netData.Outdated():
		r.timer = time.Time{}
		return
	case r.settled():
		r.timer, r.tries, r.known = time.Time{}, 0, r.rloc
		if len(r.local.Entries()) == 0 {
			r.known = mle.InvalidRLOC16
		}
		return
	case r.upgrading(), r.isRouter() && (r.Now.Before(r.notBefore) || !r.routes.reachesLeader()):
		r.timer = r.Now.Add(time.Second)
		return
	}
	tlvs := r.local.AppendTLVs(nil, r.rloc)
	if r.as == r.rloc && slices.Equal(tlvs, r.sent) && (r.open != 0 || r.Now.Before(r.timer)) {
		return // it is under way, or the leader has just heard it
	}
	r.send(tlvs)
}

// send tells the leader, or this node itself if it is the leader.
func (r *registrar) send(tlvs []byte) {
	r.cancel()
	r.sent, r.as, r.accepted = tlvs, r.rloc, false
	r.timer = r.Now.Add(resubmitDelay)
	old := r.known
	if old == r.rloc {
		old = mle.InvalidRLOC16
	}
	r.known = r.rloc
	if r.role == RoleLeader {
		if err := r.leading.register(r.rloc, old, tlvs, true); err != nil {
			r.refuse(err)
		}
		return
	}
	payload := tmf.AppendThreadNetworkData(nil, tlvs)
	if old != mle.InvalidRLOC16 {
		payload = tmf.AppendRLOC16(payload, old)
	}
	r.asked++
	r.open = r.asked
	if err := r.tmf.tellLeader(tmf.URIServerData, payload, tmfTag{answer: r.handleAnswer, id: r.open | registrarTags}); err != nil {
		r.open = 0
		r.retry()
	}
}

// registrarTags tells the requests of a registrar from those of others.
const registrarTags = 1 << 31

// cancel forgets an open request.
func (r *registrar) cancel() {
	if r.open != 0 {
		r.tmf.cancel(r.open | registrarTags)
	}
	r.open = 0
}

// stop forgets what is under way, for a node that is part of no partition.
func (r *registrar) stop() {
	r.cancel()
	r.timer, r.sent, r.tries, r.accepted = time.Time{}, nil, 0, false
}

// partitionChanged forgets as whom the leader knew this node: in another partition somebody else may be there.
//
// Deviation: OpenThread has the new leader withdraw whatever stands under that locator.
func (r *registrar) partitionChanged() { r.known = mle.InvalidRLOC16 }

// retry tries again after a pause.
func (r *registrar) retry() {
	r.timer = r.Now.Add(min(firstRetry<<min(r.tries, 8), resubmitDelay))
	r.tries++
}

// refuse is what follows a refusal.
func (r *registrar) refuse(err error) {
	r.refused.Log(r.Now, r.Log, slog.LevelWarn, "the leader has no place for this node's network data", "err", err)
	r.counters.RegistrationsRefused++
	r.events.emit(Event{Type: EventRegistrationRefused})
}

// handleAnswer handles the leader's answer, or that there is none.
func (r *registrar) handleAnswer(ev tmfEvent) error {
	if ev.Tag.id != r.open|registrarTags || r.open == 0 {
		return nil
	}
	r.open = 0
	switch {
	case ev.Kind == coap.RequestFailed:
		r.unanswered.Log(r.Now, r.Log, slog.LevelWarn, "no answer to Server Data Notification", "err", ev.Err)
		r.retry()
	case ev.Message.Code != coap.Changed:
		r.refuse(networkdata.ErrFull)
	default:
		r.accepted, r.tries = true, 0
	}
	return nil
}

// NextTimeout returns when the leader is told again.
func (r *registrar) NextTimeout() (time.Time, bool) { return r.timer, !r.timer.IsZero() }

// HandleTimeout tells the leader again, if it is time.
func (r *registrar) HandleTimeout() {
	if r.IsDue(r.timer) {
		r.timer = time.Time{}
		r.check()
	}
}

// lost tells the leader of a child that is gone with all that it offers.
func (r *registrar) lost(child mle.RLOC16) {
	switch {
	case r.netData.Outdated() || !r.netData.Has(child):
	case r.role == RoleLeader:
		r.leading.withdraw(func(rloc mle.RLOC16) bool { return rloc == child })
	default:
		if err := r.tmf.tellLeader(tmf.URIServerData, tmf.AppendRLOC16(nil, child), tmfTag{}); err != nil {
			r.counters.TMFRefused++
		}
	}
}

// register takes what a server offers, in place of what it has offered so far, also under another locator. What goes out of it is announced.
func (l *leading) register(server, old mle.RLOC16, tlvs []byte, hasTLVs bool) error {
	changed, err := false, error(nil)
	if old != mle.InvalidRLOC16 {
		changed = l.distrib.netData.Withdraw(func(rloc mle.RLOC16) bool { return rloc == old })
	}
	if hasTLVs {
		var more bool
		more, err = l.distrib.netData.Register(server, tlvs)
		changed = changed || more
	}
	if changed {
		l.change.networkDataChanged()
	}
	return err
}

// withdraw removes what servers offer that are gone.
func (l *leading) withdraw(match func(mle.RLOC16) bool) {
	if l.distrib.netData.Withdraw(match) {
		l.change.networkDataChanged()
	}
}

// handleServerData takes what a server offers.
//
// Deviation: OpenThread takes as much of it as has a place, and says nothing. Here it is taken as a whole or refused with an error.
func (l *leading) handleServerData(ev tmfEvent, p tmf.Payload) error {
	tlvs, err := p.ThreadNetworkData()
	hasTLVs := err == nil
	if err != nil && !errors.Is(err, tmf.ErrAbsent) {
		return err
	}
	rd := p.Read()
	old, hasOld := rd.OptionalRLOC16()
	if err := rd.Err(); err != nil {
		return err
	}
	if !hasOld {
		old = mle.InvalidRLOC16
	}
	server, ok := mle.LocatorOf(ev.Path.Peer.Addr())
	if !ok || !server.Valid() || !hasTLVs && !hasOld {
		return errTMFUnexpected
	}
	switch err := l.register(server, old, tlvs, hasTLVs); {
	case errors.Is(err, networkdata.ErrFull):
		l.Log.Warn("no place for what a server offers", "server", server, "err", err)
		l.counters.RegistrationsRefused++
		l.tmf.coap.Respond(l.Now, ev, coap.Message{Code: coap.RequestEntityTooLarge})
		return nil
	case err != nil:
		return err
	}
	l.tmf.respond(ev, nil)
	return nil
}

// NextTimeout returns when the ID of a 6LoWPAN context gets free.
func (l *leading) NextTimeout() (time.Time, bool) {
	if l.role != RoleLeader {
		return time.Time{}, false
	}
	return l.distrib.netData.NextTimeout()
}

// HandleTimeout frees the IDs of 6LoWPAN contexts whose prefixes have been without servers for long enough.
func (l *leading) HandleTimeout() {
	if t, ok := l.NextTimeout(); ok && l.IsDue(t) && l.distrib.netData.HandleTimeout() {
		l.change.networkDataChanged()
	}
}
