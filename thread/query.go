package thread

import (
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/internal/lasting"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/resolver"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/internal/slaac"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// queries are the messages of address query: what the resolver asks goes out from here, and what others ask is answered here. The question
// goes to all routers by multicast; who has the address, itself or through a minimal child, answers.
//
//	resolver: ask ─► Address Query ─► (all routers)
//	Address Query ─► own address, or a child's ─► Address Notification
//	Address Notification ─► resolver ─► datagrams that waited go on
//	Address Error ─► an address that two nodes have is given up
type queries struct {
	*self
	neighbors   *neighbors.Table
	addresses   *addresses.Table
	resolver    *resolver.Resolver
	sender      *sender.Sender
	tmf         *tmfMessenger
	keepAlive   *keepAlive
	slaac       *slaac.Table
	leases      *leases
	deputy      *deputy
	update      func() // an address of this node's was given up for another
	sameAddress lasting.Condition

	askers    [maxAskers]asker
	conflicts core.Limiter // of Address Errors, which go to all
	disputes  [][]byte     // Address Errors that are to be sent
}

// Limits of this implementation. An honest node asks for an address once and then again after the longest time that an answer takes.
const (
	maxAskers        = 16 // whose rates are known
	notifyBurst      = 8  // answers to one asker at once
	maxNotifications = 32 // that wait for their acknowledgements,
	maxNotifiedOne   = 8  // those of one asker among them
	maxDisputes      = 8  // addresses that two nodes claim, of which they are to hear
)

// An asker is a node that sends Address Queries.
type asker struct {
	addr netip.Addr
	rate core.Limiter
}

// ask sends the questions of the resolver. It reports whether there were any.
func (q *queries) ask() bool {
	asked := false
	for {
		target, ok := q.resolver.PollAsk()
		if !ok {
			return asked
		}
		asked = true
		// Deviation: stock says nothing of itself. So nobody has to ask where the asker is, and others know what it takes to answer.
		payload := tmf.AppendMLEID(tmf.AppendTargetEID(nil, target), q.addresses.IID())
		q.tmf.post(ip6.RealmLocalAllRouters, tmf.URIAddressQuery, payload)
		q.tmf.drain()
	}
}

// settle sends, or gives up, what waited for an address that has been found, or not.
func (q *queries) settle() {
	for {
		effect, ok := q.resolver.PollEffect()
		if !ok {
			return
		}
		switch effect.Kind {
		case resolver.Found:
			q.sender.Release(effect.Target)
		case resolver.Unreachable:
			q.sender.Refuse(effect.Target)
		}
	}
}

// handleNotify takes the answer to a question.
func (q *queries) handleNotify(ev tmfEvent, p tmf.Payload) error {
	r := p.Read()
	target, iid, rloc := r.TargetEID(), r.MLEID(), r.RLOC16()
	age, _ := r.OptionalTimeSinceLastTransaction()
	if err := r.Err(); err != nil {
		return err
	}
	if q.resolver.Notify(target, iid, rloc, age) == resolver.Conflict {
		// Two nodes claim the same address. The second claim is not acknowledged, as in OpenThread: it comes again, and with it the error, of
		// which nobody says that it has arrived.
		if len(q.disputes) < maxDisputes && q.conflicts.Allow(q.Now) {
			q.disputes = append(q.disputes, tmf.AppendMLEID(tmf.AppendTargetEID(nil, target), iid))
		}
		return nil
	}
	q.settle()
	q.tmf.yields = q.timing.AddressNotifyInterval > 0 // behind what has waited
	q.tmf.respond(ev, nil)
	return nil
}

// tick sends the Address Errors that are due: not at once, so that what waits for the address leaves before it is given up.
func (q *queries) tick() {
	for _, payload := range q.disputes {
		q.tmf.post(ip6.RealmLocalAllRouters, tmf.URIAddressError, payload)
	}
	if len(q.disputes) > 0 {
		q.disputes = nil
		q.tmf.drain()
	}
}

// handleQuery answers a question.
func (q *queries) handleQuery(ev tmfEvent, p tmf.Payload) error {
	r := p.Read()
	target := r.TargetEID()
	if err := r.Err(); err != nil {
		return err
	}
	from := ev.Path.Peer.Addr()
	q.learnAsker(from, p)
	if q.addresses.Own(target) {
		if !q.deputy.ownAsked(from, target, p) {
			q.notify(from, target, q.addresses.IID(), -1)
		}
		return nil
	}
	if !q.isRouter() {
		return nil
	}
	c := q.neighbors.Children.ByAddress(target)
	if c == nil || !c.Valid() || c.FullThreadDevice() || int(c.Failures) >= q.timing.FailedChildTransmissions {
		q.deputy.heardQuery(from, target, p)
		return nil
	}
	q.notify(from, target, ip6.InterfaceIDOf(neighbors.LinkLocal(c.Ext)), q.Now.Sub(c.LastHeard))
	return nil
}

// learnAsker notes where the sender of a question is, if it tells.
func (q *queries) learnAsker(from netip.Addr, p tmf.Payload) {
	iid, err := p.MLEID()
	rloc, ok := q.addresses.Locator(from)
	if err != nil || !ok || !rloc.Valid() {
		return
	}
	q.resolver.Learn(ip6.WithInterfaceID(q.addresses.Prefix(), iid), rloc)
	q.settle()
}

// mayNotify reports whether a node that asks for target is to be answered: not while the last answer is under way, nor more often than
// an honest node asks. An answer is sent again and again until it is acknowledged, and whoever asks may never do that.
func (q *queries) mayNotify(to, target netip.Addr) bool {
	all, toThis := 0, 0
	for tag := range q.tmf.coap.Open() {
		if !tag.asker.IsValid() {
			continue
		}
		all++
		if tag.asker != to {
			continue
		}
		if toThis++; tag.target == target {
			return false
		}
	}
	return all < maxNotifications && toThis < maxNotifiedOne && q.rateOf(to).Allow(q.Now)
}

// rateOf returns the rate of answers to an asker. A new one takes the place of who has asked least of late.
func (q *queries) rateOf(addr netip.Addr) *core.Limiter {
	i := slices.IndexFunc(q.askers[:], func(a asker) bool { return a.addr == addr })
	if i >= 0 {
		return &q.askers[i].rate
	}
	least := slices.MinFunc(q.askers[:], func(a, b asker) int { return a.rate.Full().Compare(b.rate.Full()) })
	i = slices.Index(q.askers[:], least)
	q.askers[i] = asker{addr: addr, rate: core.Limiter{Interval: q.timing.AddressNotifyInterval, Burst: notifyBurst}}
	return &q.askers[i].rate
}

// notify tells who asked that target is here. A negative age stands for this node's own address.
func (q *queries) notify(to, target netip.Addr, iid ip6.InterfaceID, age time.Duration) {
	if !q.mayNotify(to, target) {
		q.counters.TMFRefused++
		return
	}
	payload := tmf.AppendTargetEID(nil, target)
	payload = tmf.AppendMLEID(payload, iid)
	payload = tmf.AppendRLOC16(payload, q.rloc)
	if age >= 0 {
		payload = tmf.AppendTimeSinceLastTransaction(payload, age)
	}
	if q.tmf.request(to, tmf.URIAddressNotify, payload, tmfTag{asker: to, target: target}) != nil {
		q.counters.TMFRefused++
	}
}

// giveUp gives up an address of this node's: it has another at once, or none in place of one that the host has added. It reports false for one
// that names a place, which nobody else has.
func (q *queries) giveUp(target netip.Addr) bool {
	if target == q.addresses.EID() {
		q.addresses.NewIID()
		return true
	}
	if q.slaac.Duplicate(target) || q.leases.client.Forget(target) {
		return true
	}
	_, err := q.addresses.Remove(target)
	return err == nil
}

// handleError makes a node give up an address that another one also has.
func (q *queries) handleError(ev tmfEvent, p tmf.Payload) error {
	r := p.Read()
	target, iid := r.TargetEID(), r.MLEID()
	if err := r.Err(); err != nil {
		return err
	}
	q.tmf.acknowledge(ev)
	own := q.addresses.IID()
	if !q.fullThreadDevice() {
		own = ip6.InterfaceIDOf(q.addresses.LinkLocal()) // by which the parent answers queries
	}
	if q.addresses.Own(target) {
		if iid != own && q.giveUp(target) {
			q.sameAddress.Log(q.Now, q.Log, slog.LevelWarn, "another node has an address of this node's, which is given up", "addr", target)
			q.update()
			q.keepAlive.addressesChanged()
		}
		return nil
	}
	owner := neighbors.ExtOfIID(iid)
	for c := range q.neighbors.Children.All() {
		if !c.Valid() || c.FullThreadDevice() || c.Ext == owner || !c.Forget(target) {
			continue
		}
		payload := tmf.AppendMLEID(tmf.AppendTargetEID(nil, target), iid)
		if q.tmf.request(neighbors.LinkLocal(c.Ext), tmf.URIAddressError, payload, tmfTag{}) != nil {
			q.counters.TMFRefused++
		}
		break
	}
	return nil
}
