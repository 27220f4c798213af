// Package keychain is a node's key manager: the network key, the key sequence with its rotation and guard time, the ciphers of
// the sequences in use (Thread 1.1 §7.1), and the kind of counter by which no frame is secured twice alike.
package keychain

import (
	"math"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/keys"
)

// CounterAhead is how far ahead of use frame counters are stored: a node that restarts goes on from the stored value, which it has
// not used yet, and its neighbors take the jump for lost frames.
const CounterAhead = 1000

// A Counter is the frame counter of one layer under the current key sequence. A value is used once at most, whatever happens to
// the node: only values below a stored limit are given out.
type Counter struct {
	next, limit uint32
}

// Next returns the value that the next frame gets.
func (c *Counter) Next() uint32 { return c.next }

// Limit returns the limit to store: values below it may be used from then on.
func (c *Counter) Limit() uint32 { return c.next + CounterAhead }

// Stored says that a limit is stored.
func (c *Counter) Stored(limit uint32) { c.limit = limit }

// Low reports whether it is time to store another limit, before frames have to wait for that.
func (c *Counter) Low() bool { return c.limit-c.next < CounterAhead/2 }

// Restore goes on from a limit that was stored: values below it may have been used.
func (c *Counter) Restore(limit uint32) { *c = Counter{next: limit} }

// Reset begins anew, as only another key allows.
func (c *Counter) Reset() { *c = Counter{} }

// Take returns the next value and uses it up. Where the stored limit is reached it calls reserve, which stores another one. It reports
// false if that fails or the counter is used up: then nothing may be secured.
func (c *Counter) Take(reserve func() bool) (uint32, bool) {
	if c.next >= c.limit && (c.next > math.MaxUint32-2*CounterAhead || !reserve()) {
		return 0, false
	}
	c.next++
	return c.next - 1, true
}

// keySet is the pair of ciphers of one key sequence.
type keySet struct {
	seq      keys.Sequence
	valid    bool
	mle, mac *ieee802154.CCM
}

// A Keychain holds the keys of one node.
//
// Under one network key the sequence only moves forward:
//
//	sequence n ──► n+1   after the rotation time; by command; or behind a neighbor that has moved on (Thread 1.1 §7.1.7), but not
//	                     to the very next one while the guard time since the last such move lasts
type Keychain struct {
	// Life is how long a sequence lasts, Guard the part of it in which a neighbor is not followed to the next one.
	Life, Guard time.Duration

	core     *core.Core
	moved    func() // called when the sequence has changed
	network  [keys.Size]byte
	sequence keys.Sequence
	rotated  time.Time
	guarded  bool

	// sets are the ciphers in use: those of the current sequence and its two neighbors.
	sets [3]keySet
	next int // of sets to be overwritten
}

// New returns a keychain of a network at key sequence 0. moved is called whenever the sequence changes, before anything is secured
// under the new one: frame counters start anew then.
func New(c *core.Core, network [keys.Size]byte, moved func()) *Keychain {
	return &Keychain{core: c, network: network, moved: moved}
}

// NetworkKey returns the network key.
func (k *Keychain) NetworkKey() [keys.Size]byte { return k.network }

// SetNetworkKey changes the network key; the key sequence starts at zero again.
func (k *Keychain) SetNetworkKey(key [keys.Size]byte) {
	k.network = key
	k.sets = [3]keySet{}
	k.sequence = 0
}

// Sequence returns the key sequence under which this node sends.
func (k *Keychain) Sequence() keys.Sequence { return k.sequence }

// Restore takes up a sequence that was stored.
func (k *Keychain) Restore(seq keys.Sequence) { k.sequence = seq }

// Start begins the life of the present sequence, without guard.
func (k *Keychain) Start() { k.rotated, k.guarded = k.core.Now, false }

// set returns the ciphers of a key sequence, derived at need.
func (k *Keychain) set(seq keys.Sequence) *keySet {
	for i := range k.sets {
		if s := &k.sets[i]; s.valid && s.seq == seq {
			return s
		}
	}
	s := &k.sets[k.next]
	if s.valid && s.seq == k.sequence { // the current one stays
		k.next = (k.next + 1) % len(k.sets)
		s = &k.sets[k.next]
	}
	k.next = (k.next + 1) % len(k.sets)
	pair := keys.Derive(k.network, seq)
	*s = keySet{seq: seq, valid: true, mle: ieee802154.NewCCM(pair.MLE), mac: ieee802154.NewCCM(pair.MAC)}
	return s
}

// MAC returns the cipher of MAC frames under a key sequence.
func (k *Keychain) MAC(seq keys.Sequence) *ieee802154.CCM { return k.set(seq).mac }

// MLE returns the cipher of MLE messages under a key sequence. One far from the current is derived for this message alone, so that a
// sender of invented sequences cannot push the current ones out.
func (k *Keychain) MLE(seq keys.Sequence) *ieee802154.CCM {
	if seq+1 >= k.sequence && seq <= k.sequence+1 {
		return k.set(seq).mle
	}
	return ieee802154.NewCCM(keys.Derive(k.network, seq).MLE)
}

// Guarded reports whether the present sequence is too young for a neighbor's seq to be followed.
func (k *Keychain) Guarded(seq keys.Sequence) bool {
	return seq == k.sequence+1 && k.guarded && k.core.Now.Sub(k.rotated) < k.Guard
}

// Follow follows a neighbor to a later key sequence. Within the guard time the next sequence is not taken over: a node that announces
// it too early would make all others rotate with it.
func (k *Keychain) Follow(seq keys.Sequence) {
	if seq <= k.sequence || k.Guarded(seq) {
		return
	}
	k.move(seq)
	k.guarded = true
}

// Advance moves to a later sequence, guarded from then on or not. It reports false for an earlier one, whose frame counters have been used.
func (k *Keychain) Advance(seq keys.Sequence, guarded bool) bool {
	if seq > k.sequence {
		k.move(seq)
		k.guarded = guarded
	}
	return seq >= k.sequence
}

// Rotate moves to the next sequence when the present one has lasted for its life.
func (k *Keychain) Rotate() {
	if k.core.Now.Sub(k.rotated) >= k.Life {
		k.move(k.sequence + 1)
	}
}

func (k *Keychain) move(seq keys.Sequence) {
	k.sequence = seq
	k.rotated = k.core.Now
	k.core.Log.Info("key sequence", "sequence", uint32(seq))
	k.moved()
}
