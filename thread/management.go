package thread

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/internal/lasting"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/commissioning"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/dataset"
	"github.com/gopymesh/pymesh/thread/internal/networkdata"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

const (
	// registerFirst is how long a node waits before it tells the leader of a newer dataset; registerAgain and registerMost bound the pauses
	// before it does so again, which double.
	//
	// Deviation: OpenThread tells it each second until it succeeds, and so for ever if the leader refuses: too much for LoRa.
	registerFirst = time.Second
	registerAgain = 16 * time.Second
	registerMost  = 32 * time.Minute
)

var errRefused = errors.New("refused by the leader")

// management changes the datasets (Thread 1.1 §8.4.3, §8.7): it answers those who ask for them, as the leader decides on changes, tells the
// leader of a newer one that only this node knows, and makes the pending one active when its time has come.
//
//	MGMT_ACTIVE_SET, MGMT_PENDING_SET ─► leader ─► dataset.Manager ─► another version of the network data ─► Data Response to all
//	newer than the partition's ─► registerAt ─► the same, to the leader
//	the pending dataset's time has come ─► the active one ─► networkChanged
type management struct {
	*self
	change    transitions
	manager   dataset.Manager
	netData   *networkdata.Data
	registrar *commissioning.Registrar
	distrib   *distributor
	tmf       *tmfMessenger
	emit      func(Event)

	registerAt time.Time // when the leader is told, zero if there is nothing to tell
	pause      time.Duration
	refused    lasting.Condition
}

// NextTimeout returns when the pending dataset becomes active, or the leader is told of a newer one.
func (g *management) NextTimeout() (time.Time, bool) {
	pending, _ := g.manager.Pending.NextTimeout()
	next := core.Earliest(pending, g.registerAt)
	return next, !next.IsZero()
}

// HandleTimeout does what is due.
func (g *management) HandleTimeout() {
	if timestamp, tlvs, ok := g.manager.Pending.Expired(); ok {
		g.activate(timestamp, tlvs)
	}
	if g.IsDue(g.registerAt) {
		g.registerAt = time.Time{}
		g.register()
	}
}

// activate makes what was the pending dataset the active one.
func (g *management) activate(timestamp [8]byte, tlvs []byte) {
	before := g.manager.Active.Network()
	if err := g.manager.Active.Activate(timestamp, tlvs); err != nil {
		g.Log.Warn("the pending dataset is not taken", "err", err)
		g.change.changed()
		return
	}
	g.followed(before)
	if g.role == RoleLeader {
		g.announce()
	}
	g.review()
}

// followed lets the node follow the active dataset, if it says otherwise than before.
func (g *management) followed(before Network) {
	g.change.changed()
	if g.manager.Active.Network() != before {
		g.change.networkChanged()
	}
	g.change.policyChanged()
}

// announce has all nodes of the partition ask for the datasets: it is another version of the network data that tells them to.
func (g *management) announce() {
	g.netData.Bump(true)
	g.distrib.announce()
}

// review looks whether the leader is to be told of a newer dataset.
func (g *management) review() {
	tell := g.attached() && g.role != RoleLeader && (g.manager.Active.Unregistered() || g.manager.Pending.Unregistered())
	switch {
	case !tell:
		g.registerAt, g.pause = time.Time{}, 0
	case g.registerAt.IsZero():
		g.registerAt = g.Now.Add(registerFirst)
	}
}

// register tells the leader of the datasets that are newer than its own.
func (g *management) register() {
	if !g.attached() || g.role == RoleLeader {
		return
	}
	timestamp, tlvs, _ := g.manager.Active.Own()
	if g.manager.Active.Unregistered() && !g.manager.Pending.BecomesAt(timestamp) {
		g.tell(tmf.URIActiveSet, tlv.Append(nil, meshcop.TypeActiveTimestamp, timestamp[:]), tlvs)
	}
	if timestamp, tlvs, ok := g.manager.Pending.Own(); ok && g.manager.Pending.Unregistered() {
		g.tell(tmf.URIPendingSet, tlv.Append(nil, meshcop.TypePendingTimestamp, timestamp[:]), tlvs)
	}
	g.pause = min(max(2*g.pause, registerAgain), registerMost)
	if g.manager.Active.Unregistered() || g.manager.Pending.Unregistered() {
		g.registerAt = g.Now.Add(g.pause + g.RandomUpTo(g.pause/4))
	}
}

func (g *management) tell(uri string, timestamp, tlvs []byte) {
	err := g.tmf.askLeader(uri, append(timestamp, tlvs...), tmfTag{answer: func(ev tmfEvent) error {
		if err := verdictOf(ev); err != nil {
			g.refused.Log(g.Now, g.Log, slog.LevelWarn, "a newer dataset is not taken by the leader", "resource", uri, "err", err)
		}
		return nil
	}})
	if err != nil {
		g.Log.Warn("the leader is not told of a newer dataset", "err", err)
	}
}

// verdictOf returns nil if the leader has accepted what it was asked for, or why not.
func verdictOf(ev tmfEvent) error {
	if ev.Kind == coap.RequestFailed {
		return ev.Err
	}
	value, _ := tlv.Find(ev.Message.Payload, meshcop.TypeState)
	if state, err := meshcop.ParseState(value); err != nil || state != meshcop.StateAccept {
		return errRefused
	}
	return nil
}

// learn takes over what a message says of the datasets, and reports whether it announces one that is not known and not in it.
func (g *management) learn(m mle.Message) (missing bool) {
	active, pending := g.manager.Active, g.manager.Pending
	before, timestamp, waiting := active.Network(), active.Timestamp(), pending.Timestamp()
	missing, err := active.Learn(m)
	switch {
	case errors.Is(err, dataset.ErrForeign):
		g.Log.Warn("the dataset of the parent is not taken", "err", err)
	case err != nil:
		g.counters.MLEMalformed++
	}
	missingPending, err := pending.Learn(m)
	if err != nil {
		g.counters.MLEMalformed++
	}
	if timestamp != active.Timestamp() || before != active.Network() {
		g.followed(before)
	}
	if waiting != pending.Timestamp() {
		g.waiting()
		g.change.changed()
	}
	pending.Obsolete(active.Timestamp())
	g.review()
	return missing || missingPending
}

// leadAgain takes up the duties of a leader that has restarted.
func (g *management) leadAgain() {
	if !g.manager.Pending.Known() {
		g.manager.Pending.Lead()
	}
	g.registrar.Lead()
}

// waiting tells the host of a pending dataset.
func (g *management) waiting() {
	if at, ok := g.manager.Pending.NextTimeout(); ok {
		g.Log.Info("the network will change", "in", at.Sub(g.Now))
		g.emit(Event{Type: EventNetworkPending, Delay: at.Sub(g.Now)})
	}
}

// handleActiveSet decides on another active dataset.
func (g *management) handleActiveSet(ev tmfEvent, _ tmf.Payload) error {
	before := g.manager.Active.Network()
	waiting := g.manager.Pending.Timestamp()
	v := g.manager.SetActive(ev.Message.Payload, g.registrar.Session())
	g.decided(ev, v, before)
	if v.Accepted && waiting != g.manager.Pending.Timestamp() {
		g.waiting()
	}
	return nil
}

// handlePendingSet decides on another pending dataset.
func (g *management) handlePendingSet(ev tmfEvent, _ tmf.Payload) error {
	v := g.manager.SetPending(ev.Message.Payload, g.registrar.Session())
	g.decided(ev, v, g.manager.Active.Network())
	if v.Accepted {
		g.waiting()
	}
	return nil
}

// decided answers a request, and lets all know of a change: the commissioner by name if it is not its own (Thread 1.1 §8.7.6).
func (g *management) decided(ev tmfEvent, v dataset.Verdict, before Network) {
	if !v.Accepted {
		g.tmf.respond(ev, meshcop.AppendState(nil, meshcop.StateReject))
		return
	}
	g.tmf.respond(ev, meshcop.AppendState(nil, meshcop.StateAccept))
	g.followed(before)
	g.announce()
	if rloc, ok := commissioning.Locator(g.netData); ok && !v.Commissioner {
		if err := g.tmf.request(rloc.Addr(g.tmf.addresses.Prefix()), tmf.URIDatasetChanged, nil, tmfTag{}); err != nil {
			g.Log.Warn("the commissioner is not told of another dataset", "err", err)
		}
	}
}

func (g *management) handleActiveGet(ev tmfEvent, _ tmf.Payload) error {
	g.tmf.respond(ev, g.manager.GetActive(ev.Message.Payload))
	return nil
}

func (g *management) handlePendingGet(ev tmfEvent, _ tmf.Payload) error {
	g.tmf.respond(ev, g.manager.GetPending(ev.Message.Payload))
	return nil
}

// set makes a dataset the newest that this node knows: by command. A leader's is that of its partition at once, others tell their leader.
func (g *management) set(pending bool, timestamp [8]byte, tlvs []byte) error {
	before := g.manager.Active.Network()
	take := !g.attached() || g.role == RoleLeader
	var err error
	if pending {
		err = g.manager.Pending.Set(timestamp, tlvs, take)
	} else {
		err = g.manager.Active.Set(timestamp, tlvs, take)
	}
	if err != nil {
		return err
	}
	g.followed(before)
	if g.role == RoleLeader {
		g.announce()
	}
	g.review()
	return nil
}

// ask sends a MGMT request to the leader, or to another node if it is a valid address. done, if not nil, is given the answer.
func (g *management) ask(to netip.Addr, uri string, payload []byte, done func(tmfEvent) error) error {
	if !g.attached() {
		return ErrDetached
	}
	if !to.IsValid() {
		return g.tmf.askLeader(uri, payload, tmfTag{answer: done})
	}
	err := g.tmf.request(to, uri, payload, tmfTag{answer: done})
	g.tmf.drain()
	return err
}

// ChangeNetwork asks the leader for other network parameters, for all nodes. n must pass its Check, and have another PAN ID than that of
// broadcasts. Events tell what becomes of it: EventNetworkPending, on all nodes, that the change comes, and EventNetwork that it is there; or
// EventNetworkRefused, on this node. A change of nothing is none.
//
// Another name, extended PAN ID or PSKc is there at once. Another key, PAN ID, channel or mesh-local prefix, without which nodes do not hear or
// reach each other, comes on all nodes at about the same time, after a delay: at least 30 s, and 300 s for another key, whatever the delay
// given. The zero delay is one that suits the radio, 300 s at SF7. A node that has not heard of another key before that is lost, and must be
// given it by hand; one that was away while the rest changed finds back by itself (Thread 1.1 §8.4.3).
//
// It fails with ErrDetached, with ErrArgument, and with coap.ErrBusy if too many requests are open.
func (e *Engine) ChangeNetwork(now time.Time, n Network, delay time.Duration) error {
	e.Advance(now)
	if err := n.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrArgument, err)
	}
	if n.PANID == ieee802154.BroadcastPAN {
		return fmt.Errorf("%w: PAN ID %v is that of broadcasts", ErrArgument, n.PANID)
	}
	n.MeshLocalPrefix = n.MeshLocalPrefix.Masked()
	if n == e.dataset.Network() {
		return nil
	}
	if delay == 0 {
		delay = 5 * e.timing.NetworkIDTimeout / 2
	}
	err := e.manage.changeNetwork(n, min(max(delay, 0), maxNetworkDelay))
	e.settle()
	return err
}

// maxNetworkDelay is the longest delay of a pending dataset, as OpenThread has it.
const maxNetworkDelay = 72 * time.Hour

func (g *management) changeNetwork(n Network, delay time.Duration) error {
	before := g.manager.Active.Network()
	tlvs, err := g.manager.Active.With(n)
	if err != nil {
		return err
	}
	uri, payload := tmf.URIActiveSet, append(after(meshcop.TypeActiveTimestamp, g.manager.Active.Latest()), tlvs...)
	if before.Apart(n) {
		uri = tmf.URIPendingSet
		payload = append(payload, after(meshcop.TypePendingTimestamp, g.manager.Pending.Latest())...)
		payload = binary.BigEndian.AppendUint32(tlv.AppendHeader(payload, meshcop.TypeDelayTimer, 4), uint32(delay/time.Millisecond))
	}
	return g.ask(netip.Addr{}, uri, payload, func(ev tmfEvent) error {
		if err := verdictOf(ev); err != nil {
			g.Log.Warn("the network is not changed", "err", err)
			g.emit(Event{Type: EventNetworkRefused})
		}
		return nil
	})
}

// after is a timestamp TLV of the second after a timestamp.
func after(t meshcop.Type, timestamp [8]byte) []byte {
	ts, _ := meshcop.ParseTimestamp(timestamp[:])
	b, _ := meshcop.Timestamp{Seconds: ts.Seconds + 1}.AppendBinary(nil)
	return tlv.Append(nil, t, b)
}
