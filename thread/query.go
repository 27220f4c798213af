package thread

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/internal/lasting"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/resolver"
	"github.com/gopymesh/pymesh/thread/internal/sender"
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
	neighbors *neighbors.Table
	addresses *addresses.Table
	resolver  *resolver.Resolver
	sender    *sender.Sender
	tmf       *tmfMessenger
	keepAlive *keepAlive
	update    func() // the addresses have changed
	sameEID   lasting.Condition
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
		q.tmf.post(ip6.RealmLocalAllRouters, tmf.URIAddressQuery, tmf.AppendTargetEID(nil, target))
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
	q.tmf.respond(ev, nil)
	if q.resolver.Notify(target, iid, rloc, age) == resolver.Conflict {
		// Two nodes claim the same address.
		q.tmf.post(ip6.RealmLocalAllRouters, tmf.URIAddressError, tmf.AppendMLEID(tmf.AppendTargetEID(nil, target), iid))
	}
	q.settle()
	return nil
}

// handleQuery answers a question.
func (q *queries) handleQuery(ev tmfEvent, p tmf.Payload) error {
	r := p.Read()
	target := r.TargetEID()
	if err := r.Err(); err != nil {
		return err
	}
	from := ev.Path.Peer.Addr()
	if q.addresses.Own(target) {
		q.notify(from, target, q.addresses.IID(), -1)
		return nil
	}
	if !q.isRouter() {
		return nil
	}
	c := q.neighbors.Children.ByAddress(target)
	if c == nil || !c.Valid() || c.FullThreadDevice() || int(c.Failures) >= q.timing.FailedChildTransmissions {
		return nil
	}
	q.notify(from, target, ip6.InterfaceIDOf(neighbors.LinkLocal(c.Ext)), q.Now.Sub(c.LastHeard))
	return nil
}

// notify tells who asked that target is here. A negative age stands for this node's own address.
func (q *queries) notify(to, target netip.Addr, iid ip6.InterfaceID, age time.Duration) {
	payload := tmf.AppendTargetEID(nil, target)
	payload = tmf.AppendMLEID(payload, iid)
	payload = tmf.AppendRLOC16(payload, q.rloc)
	if age >= 0 {
		payload = tmf.AppendTimeSinceLastTransaction(payload, age)
	}
	q.tmf.request(to, tmf.URIAddressNotify, payload, tmfTag{})
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
	if target == q.addresses.EID() && iid != own {
		q.sameEID.Log(q.Now, q.Log, slog.LevelWarn, "another node has this node's mesh-local address; taking a new one")
		q.addresses.NewIID()
		q.update()
		q.keepAlive.addressesChanged()
		return nil
	}
	owner := neighbors.ExtOfIID(iid)
	for c := range q.neighbors.Children.All() {
		if !c.Valid() || c.FullThreadDevice() || c.Ext == owner || !c.Forget(target) {
			continue
		}
		q.tmf.request(neighbors.LinkLocal(c.Ext), tmf.URIAddressError, tmf.AppendMLEID(tmf.AppendTargetEID(nil, target), iid), tmfTag{})
		break
	}
	return nil
}
