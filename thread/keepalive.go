package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// A child tells its parent that it is still there before its timeout ends, and again with growing urgency until the parent answers
// (Thread 1.1 §4.7.6).
type keepAlive struct {
	timer    time.Time
	state    updateState
	attempts int // unanswered Child Update Requests
}

type updateState uint8

const (
	updateNone    updateState = iota
	updatePending             // something changed that the parent must know
	updateActive              // a request is unanswered
)

// updatePendingDelay lets several changes go out in one Child Update Request.
const updatePendingDelay = 100 * time.Millisecond

func (e *Engine) scheduleKeepAlive() {
	k := &e.keepAlive
	switch {
	case k.state == updatePending:
		k.timer = e.now.Add(updatePendingDelay)
	case k.state == updateActive:
		k.timer = e.now.Add(e.timing.ChildUpdateRetry)
	case e.role == RoleChild:
		margin := e.timing.ChildUpdateRetry * time.Duration(e.timing.KeepAliveAttempts)
		k.timer = e.now.Add(max(e.timing.ChildTimeout-margin, e.timing.ChildUpdateRetry))
	default:
		k.timer = time.Time{}
	}
}

func (e *Engine) handleKeepAliveTimer() {
	k := &e.keepAlive
	k.timer = time.Time{}
	switch {
	case k.state == updateNone && e.role != RoleChild:
		return
	case k.state == updatePending:
		k.attempts = 0
	}
	if k.attempts >= e.timing.KeepAliveAttempts {
		e.detach()
		return
	}
	e.sendChildUpdateRequest()
	k.attempts++
}

// parentMustKnow schedules a Child Update Request of a minimal end device whose addresses changed.
func (e *Engine) parentMustKnow() {
	if e.role == RoleChild && !e.fullThreadDevice() {
		e.keepAlive.state = updatePending
		e.scheduleKeepAlive()
	}
}

func (e *Engine) sendChildUpdateRequest() {
	if !e.parent.validOrRestoring() {
		e.detach()
		return
	}
	e.keepAlive.state = updateActive
	e.scheduleKeepAlive()
	b := mle.AppendMode(e.newMessage(mle.ChildUpdateRequest), e.mode)
	if !e.fullThreadDevice() {
		b = e.appendAddressRegistration(b)
	}
	if e.role == RoleDetached {
		e.attach.challenge = e.newChallenge()
		b = mle.AppendChallenge(b, e.attach.challenge)
	} else {
		b = mle.AppendSourceAddress(b, e.rloc)
		b = mle.AppendLeaderData(b, e.leaderData())
		b = mle.AppendTimeout(b, e.timing.ChildTimeout)
	}
	e.sendMLE(linkLocalOf(e.parent.ext), b)
}

// handleParentUpdateRequest answers a Child Update Request from the parent.
func (e *Engine) handleParentUpdateRequest(m mle.Message, info mleInfo) error {
	source, err := m.SourceAddress()
	if err != nil {
		return err
	}
	if source != e.parent.rloc || info.ext != e.parent.ext {
		return errMLEUnexpected
	}
	if err := e.handleLeaderData(m, info); err != nil {
		return err
	}
	if m.Has(mle.TLVStatus) {
		status, err := m.Status()
		if err != nil {
			return err
		}
		if status == mle.StatusError {
			e.detach()
			return nil
		}
	}
	requested, _ := m.TLVRequest()
	b := mle.AppendSourceAddress(e.newMessage(mle.ChildUpdateResponse), e.rloc)
	b = mle.AppendLeaderData(b, e.leaderData())
	for t := range requested.All() {
		switch t {
		case mle.TLVTimeout:
			b = mle.AppendTimeout(b, e.timing.ChildTimeout)
		case mle.TLVAddressRegistration:
			if !e.fullThreadDevice() {
				b = e.appendAddressRegistration(b)
			}
		}
	}
	if m.Has(mle.TLVChallenge) {
		challenge, err := m.Challenge()
		if err != nil {
			return err
		}
		b = mle.AppendResponse(b, challenge)
		b = mle.AppendMLEFrameCounter(b, e.mleCounter)
		b = mle.AppendLinkLayerFrameCounter(b, e.mac.counter)
	}
	e.sendMLE(info.src, b)
	return nil
}

// handleParentUpdateResponse handles the parent's answer to a Child Update Request.
func (e *Engine) handleParentUpdateResponse(m mle.Message, info mleInfo) error {
	if info.ext != e.parent.ext || !e.parent.validOrRestoring() {
		return errMLEUnexpected
	}
	if m.Has(mle.TLVStatus) {
		// The parent does not know this child.
		e.detach()
		return nil
	}
	mode, err := m.Mode()
	if err != nil {
		return err
	}
	if mode != e.mode {
		return errMLEUnexpected
	}
	if e.role == RoleDetached {
		if err := e.resumeChild(m, info); err != nil {
			return err
		}
	}
	if e.role != RoleChild {
		return errMLEUnexpected
	}
	if e.keepAlive.state == updateActive {
		e.keepAlive = keepAlive{}
		e.scheduleKeepAlive()
	}
	source, err := m.SourceAddress()
	if err != nil {
		return err
	}
	if source.RouterID() != e.rloc.RouterID() {
		e.detach()
		return nil
	}
	e.parent.lastHeard = e.now
	return e.handleLeaderData(m, info)
}

// resumeChild takes up the place that a child had before its restart.
func (e *Engine) resumeChild(m mle.Message, info mleInfo) error {
	if e.attach.state != attachSynchronize {
		return errMLEUnexpected
	}
	response, err := m.Response()
	if err != nil {
		return err
	}
	if response != e.attach.challenge {
		return errMLEUnexpected
	}
	linkCounter, err := m.LinkLayerFrameCounter()
	if err != nil {
		return err
	}
	mleCounter, err := mleFrameCounter(m, linkCounter)
	if err != nil {
		return err
	}
	leader, err := m.LeaderData()
	if err != nil {
		return err
	}
	e.parent.mac = keys.ReplayFrom(info.keySequence, linkCounter)
	e.parent.mle = keys.ReplayFrom(info.keySequence, mleCounter)
	e.parent.link.reset(e.timing.ReceiveSensitivity, info.rssi)
	e.parent.qualityOut = e.parent.link.quality
	e.parent.state = stateValid
	e.setLeaderData(leader)
	e.becomeChild(e.rloc)
	e.netData.wanted = true
	return nil
}
