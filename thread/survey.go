package thread

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/internal/scan"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// What a commissioner asks nodes to find out, and how they do it (Thread 1.1 §8.7.8 to §8.7.10): the sides of surroundings that speak TMF.

// surveys is the part of the engine by which the host finds out how the mesh is doing, and what surrounds it.
type surveys struct{ e *Engine }

// serve begins what the servers want, if no other scan is under way.
func (x *surroundings) serve() {
	if channel, d, ok := x.energy.Wants(); ok {
		if x.scanner.Start(scan.Energy, 1<<channel, d) {
			x.user = scanEnergyServer
			x.energy.Begun()
		} else {
			x.energy.Retry()
		}
	}
	if channels, ok := x.pans.Wants(); ok {
		if x.scanner.Start(scan.Active, channels, x.scanFor(0)) {
			x.user = scanPANIDServer
			x.pans.Begun()
			x.finish() // there may be no channel
		} else {
			x.pans.Retry()
		}
	}
	if to, report, ok := x.energy.Report(); ok {
		x.tell(to, tmf.URIEnergyReport, report.AppendEnergyReport(nil))
	}
}

func (x *surroundings) sendConflict(to netip.Addr, conflict meshcop.Survey) {
	x.tell(to, tmf.URIPANIDConflict, conflict.AppendPANIDConflict(nil))
}

// tell sends a commissioner what it has asked for.
func (x *surroundings) tell(to netip.Addr, uri string, payload []byte) {
	if !x.attached() {
		return
	}
	_ = x.tmf.requestWithToken(to, uri, payload) // busy: it is lost
}

// handleEnergyScan takes an order to measure. A later one takes its place.
func (x *surroundings) handleEnergyScan(ev tmfEvent, p tmf.Payload) error {
	order, err := meshcop.ParseEnergyScan(p)
	if err == nil {
		order.Channels = x.supported(order.Channels)
		x.energy.Start(ev.Path.Peer.Addr(), order)
		x.taken(ev)
	}
	return err
}

// handlePANIDQuery takes an order to look for a PAN ID. A later one takes its place.
func (x *surroundings) handlePANIDQuery(ev tmfEvent, p tmf.Payload) error {
	order, err := meshcop.ParsePANIDQuery(p)
	if err == nil {
		order.Channels = x.supported(order.Channels)
		x.pans.Start(ev.Path.Peer.Addr(), order)
		x.taken(ev)
	}
	return err
}

// handleAnnounceBegin takes an order to announce the network. A later one takes its place; one for channels that the radio does not have is
// acknowledged all the same.
func (x *surroundings) handleAnnounceBegin(ev tmfEvent, p tmf.Payload) error {
	order, err := meshcop.ParseAnnounceBegin(p)
	if err == nil {
		x.beginAnnounce(order.Channels, int(order.Count), order.Period)
		x.taken(ev)
	}
	return err
}

// taken acknowledges an order.
func (x *surroundings) taken(ev tmfEvent) {
	if !ev.Path.Local.IsMulticast() {
		x.tmf.acknowledge(ev)
	}
}

// beginAnnounce has the network announced on channels, as far as the radio has them.
func (x *surroundings) beginAnnounce(channels meshcop.ChannelMask, count int, period time.Duration) bool {
	return x.announce.Start(x.supported(channels), count, period)
}

// handleEnergyReport and handleConflict hand on what a node has found out.
func (x *surroundings) handleEnergyReport(ev tmfEvent, p tmf.Payload) error {
	report, err := meshcop.ParseEnergyReport(p)
	return x.reported(ev, report, err, x.onEnergy)
}

func (x *surroundings) handleConflict(ev tmfEvent, p tmf.Payload) error {
	conflict, err := meshcop.ParsePANIDQuery(p)
	return x.reported(ev, conflict, err, x.onConflict)
}

func (x *surroundings) reported(ev tmfEvent, s meshcop.Survey, err error, answer func(netip.Addr, meshcop.Survey)) error {
	if err != nil {
		return err
	}
	x.tmf.acknowledge(ev)
	if answer == nil {
		return errTMFUnexpected
	}
	answer(ev.Path.Peer.Addr(), s)
	return nil
}

// order sends an order of this node's, which must be the commissioner.
func (x *surroundings) order(to netip.Addr, uri string, s meshcop.Survey, message func(meshcop.Survey, []byte) []byte) error {
	id, ok := x.session()
	if !ok {
		return ErrState
	}
	if !x.addresses.Prefix().Contains(to) && !to.IsMulticast() {
		return ErrArgument
	}
	s.Session = id
	if !to.IsMulticast() {
		return x.tmf.requestWithToken(to, uri, message(s, nil))
	}
	m := newPost(coap.NonConfirmable, uri, message(s, nil))
	m.Token = x.tmf.coap.NewToken()
	x.tmf.coap.Send(x.tmf.path(to), m)
	x.tmf.drain()
	return nil
}

// requestWithToken sends a confirmable request whose answer nobody waits for.
func (x *tmfMessenger) requestWithToken(to netip.Addr, uri string, payload []byte) error {
	m := newPost(coap.Confirmable, uri, payload)
	m.Token = x.coap.NewToken()
	err := x.coap.Request(x.Now, x.path(to), m, tmfTag{})
	x.drain()
	if err != nil {
		return ErrBusy
	}
	return nil
}

func (v surveys) order(now time.Time, to netip.Addr, uri string, s meshcop.Survey, appendTo func(meshcop.Survey, []byte) []byte) error {
	v.e.Advance(now)
	err := v.e.surroundings.order(to, uri, s, appendTo)
	v.e.settle()
	return err
}

// OrderEnergyScan has a node, or a group of nodes, measure the power on channels, as its commissioner. report is called by later inputs of the
// engine's with each report that comes, those to later orders too until there is another function; it must not call the engine. A node whose
// radio has one channel reports that one, whichever it was asked for.
//
// The errors are ErrState if this node is not the commissioner, ErrArgument for an address outside the mesh, and ErrBusy, which passes.
func (v surveys) OrderEnergyScan(now time.Time, to netip.Addr, s meshcop.Survey, report func(from netip.Addr, s meshcop.Survey)) error {
	err := v.order(now, to, tmf.URIEnergyScan, s, meshcop.Survey.AppendEnergyScan)
	if err == nil {
		v.e.surroundings.onEnergy = report
	}
	return err
}

// OrderPANIDQuery has a node, or a group of nodes, look whether other networks use a PAN ID, as its commissioner. Those that find one report it;
// report and the errors are as with OrderEnergyScan.
func (v surveys) OrderPANIDQuery(now time.Time, to netip.Addr, s meshcop.Survey, report func(from netip.Addr, s meshcop.Survey)) error {
	err := v.order(now, to, tmf.URIPANIDQuery, s, meshcop.Survey.AppendPANIDQuery)
	if err == nil {
		v.e.surroundings.onConflict = report
	}
	return err
}

// OrderAnnounce has a node, or a group of nodes, announce the network on channels, as its commissioner. The errors are as with
// OrderEnergyScan.
func (v surveys) OrderAnnounce(now time.Time, to netip.Addr, s meshcop.Survey) error {
	return v.order(now, to, tmf.URIAnnounceBegin, s, meshcop.Survey.AppendAnnounceBegin)
}

// Announce tells on channels, as far as the radio has them, where this node's network is: count times on each, a period apart. Nodes that were
// away while a dataset changed come back by it. It reports false if there is nothing to do.
func (v surveys) Announce(now time.Time, channels meshcop.ChannelMask, count int, period time.Duration) bool {
	v.e.Advance(now)
	ok := v.e.attached() && v.e.surroundings.beginAnnounce(channels, count, period)
	v.e.settle()
	return ok
}
