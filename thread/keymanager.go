package thread

import (
	"math"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
)

// counterAhead is how far ahead of use frame counters are stored: a node that restarts goes on from the stored value, which it has
// not used yet, and its neighbors take the jump for lost frames (Thread 1.1 §7.1.6).
const counterAhead = 1000

// keySet is the pair of ciphers of one key sequence.
type keySet struct {
	seq      keys.Sequence
	valid    bool
	mle, mac *ieee802154.CCM
}

// keyring keeps the ciphers of the key sequences in use: the current one and its two neighbors.
type keyring struct {
	sets [3]keySet
	next int
}

// keysFor returns the ciphers of a key sequence, derived at need.
func (e *Engine) keysFor(seq keys.Sequence) *keySet {
	for i := range e.keyring.sets {
		if s := &e.keyring.sets[i]; s.valid && s.seq == seq {
			return s
		}
	}
	s := &e.keyring.sets[e.keyring.next]
	if s.valid && s.seq == e.keySequence { // the current one stays
		e.keyring.next = (e.keyring.next + 1) % len(e.keyring.sets)
		s = &e.keyring.sets[e.keyring.next]
	}
	e.keyring.next = (e.keyring.next + 1) % len(e.keyring.sets)
	pair := keys.Derive(e.networkKey, seq)
	*s = keySet{seq: seq, valid: true, mle: ieee802154.NewCCM(pair.MLE), mac: ieee802154.NewCCM(pair.MAC)}
	return s
}

// advanceKeySequence follows a neighbor to a later key sequence (Thread 1.1 §7.1.5). Within the guard time the next sequence is not
// taken over: a node that announces it too early would make all others rotate with it.
func (e *Engine) advanceKeySequence(seq keys.Sequence) {
	if e.KeySwitchGuarded(seq) {
		return
	}
	e.setKeySequence(seq)
	e.keyGuarded = true
}

// KeySwitchGuarded reports whether the present key sequence is too young for a neighbor's seq to be followed.
func (e *Engine) KeySwitchGuarded(seq keys.Sequence) bool {
	return seq == e.keySequence+1 && e.keyGuarded && e.now.Sub(e.keyRotated) < e.timing.KeySwitchGuard
}

// setKeySequence makes seq the sequence under which this node sends, with frame counters from zero.
func (e *Engine) setKeySequence(seq keys.Sequence) {
	if seq == e.keySequence {
		return
	}
	e.keySequence = seq
	e.keyRotated = e.now
	// A sequence never comes back, so its counters start at zero. Both are stored ahead before their first use.
	e.mac.counter, e.mleCounter = 0, 0
	e.storedMAC, e.storedMLE = 0, 0
	e.log.Info("key sequence", "sequence", uint32(seq))
	e.emit(Event{Type: EventKeySequence})
	e.saveSettings()
}

// SetKeySequence moves this node to another key sequence and so, by the messages it then sends, the whole partition. Only a later
// sequence is possible: the frame counters of an earlier one have been used.
func (e *Engine) SetKeySequence(now time.Time, seq keys.Sequence) error {
	e.now = now
	if seq < e.keySequence {
		return ErrKeySequence
	}
	if seq > e.keySequence {
		e.setKeySequence(seq)
		e.keyGuarded = e.up
	}
	e.settle()
	return nil
}

// KeySequence returns the key sequence under which this node sends.
func (e *Engine) KeySequence() keys.Sequence { return e.keySequence }

// reserveCounters makes sure that the next frame counters are below the stored limits, storing new limits if they are not. It
// reports false where the store fails or the counters are used up: then nothing may be secured.
func (e *Engine) reserveCounters() bool {
	if e.mac.counter < e.storedMAC && e.mleCounter < e.storedMLE {
		return true
	}
	if e.mac.counter > math.MaxUint32-2*counterAhead || e.mleCounter > math.MaxUint32-2*counterAhead {
		return false
	}
	return e.saveSettings()
}
