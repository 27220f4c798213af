package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// The interface and Thread itself are started one after the other, as the command line does (ifconfig up, thread start); Start and
// Stop do both.
//
//	        InterfaceUp              StartThread
//	(down) ─────────────► Disabled ───────────────► Detached …
//	   ▲                   │    ▲                        │
//	   └── InterfaceDown ──┘    └──────── StopThread ────┘

// IsUp reports whether the interface is up. It has a link-local address then.
func (e *Engine) IsUp() bool { return e.ifUp }

// InterfaceUp brings the interface up. Doing it twice does nothing.
func (e *Engine) InterfaceUp(now time.Time) {
	e.now = now
	e.ifUp = true
	e.updateAddresses()
}

// InterfaceDown stops Thread, if it runs, and takes the interface down. Added addresses are gone then.
func (e *Engine) InterfaceDown(now time.Time) {
	e.StopThread(now)
	if !e.ifUp {
		return
	}
	e.ifUp = false
	e.external = e.external[:0]
	e.updateAddresses()
}

// StartThread starts attaching: where the node was before, if it was somewhere. It fails with ErrState if the interface is down or
// the PAN ID is that of a broadcast. Starting twice does nothing.
func (e *Engine) StartThread(now time.Time) error {
	e.now = now
	switch {
	case !e.ifUp || e.pan == ieee802154.BroadcastPAN:
		return ErrState
	case e.up:
		return nil
	case !e.saveSettings():
		return errStoreFailed
	}
	e.up = true
	e.keyRotated, e.keyGuarded = now, false
	e.startAttach()
	e.settle()
	return nil
}

// StopThread leaves the network. The packet that the radio is sending is finished; nothing follows it.
func (e *Engine) StopThread(now time.Time) {
	e.now = now
	if !e.up {
		return
	}
	e.becomeDetached()
	e.becomeDisabled()
	e.up = false
}

// AutoStart reports whether the store asks for the node to be started when the program is, see SetAutoStart.
func (e *Engine) AutoStart() bool { return e.settings.AutoStart }

// SetAutoStart stores whether the node shall be started when the program is. It is for the program to obey.
func (e *Engine) SetAutoStart(on bool) error {
	before := e.settings.AutoStart
	e.settings.AutoStart = on
	if !e.saveSettings() {
		e.settings.AutoStart = before
		return errStoreFailed
	}
	return nil
}

// BecomeDetached leaves the partition and searches for any. It fails with ErrState if Thread is stopped.
func (e *Engine) BecomeDetached(now time.Time) error {
	e.now = now
	if e.role == RoleDisabled {
		return ErrState
	}
	e.detach()
	e.settle()
	return nil
}

// BecomeChild searches for a parent, and stays what it is until there is one. It fails with ErrState if Thread is stopped and with
// ErrBusy if a search is under way.
func (e *Engine) BecomeChild(now time.Time) error {
	e.now = now
	switch {
	case e.role == RoleDisabled:
		return ErrState
	case e.attach.state != attachIdle:
		return ErrBusy
	}
	e.startSearch(attachAny)
	e.settle()
	return nil
}

// BecomeRouter makes a child ask the leader for a router ID. It fails with ErrState if the node is not attached and with
// ErrNotCapable if it may not be a router.
func (e *Engine) BecomeRouter(now time.Time) error {
	e.now = now
	switch {
	case !e.attached():
		return ErrState
	case e.isRouter():
		return nil
	case !e.routerEligible:
		return ErrNotCapable
	}
	e.solicitRouterID(tmf.ReasonHaveChildIDRequest)
	e.settle()
	return nil
}

// BecomeLeader founds a partition. It fails with ErrState if Thread is stopped and with ErrNotCapable if the node may not be a router.
func (e *Engine) BecomeLeader(now time.Time) error {
	e.now = now
	switch {
	case e.role == RoleDisabled:
		return ErrState
	case e.role == RoleLeader:
		return nil
	case !e.routerEligible:
		return ErrNotCapable
	}
	e.formPartition()
	e.settle()
	return nil
}

// ReleaseRouterID takes a router ID back, on the leader. It fails with ErrState on any other node, with ErrNotFound if the ID is not
// assigned, and with ErrArgument if it is the leader's own.
func (e *Engine) ReleaseRouterID(now time.Time, id mle.RouterID) error {
	e.now = now
	switch {
	case e.role != RoleLeader:
		return ErrState
	case !e.routers.isAssigned(id):
		return ErrNotFound
	case id == e.routing.id:
		return ErrArgument
	}
	e.releaseRouterID(id)
	e.settle()
	return nil
}
