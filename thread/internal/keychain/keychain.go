// Package keychain is a node's key manager: the network key, the key sequence with its rotation and guard time, the ciphers of
// the sequences in use (Thread 1.1 §7.1), and the kind of counter by which no frame is secured twice alike.
package keychain

import (
	"math"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/keys"
)

// CounterAhead is how far ahead of use frame counters are stored: a node that restarts goes on from the stored value, which it has
// not used yet, and its neighbors take the jump for lost frames.
const CounterAhead = 1000

// counterEnd is how many values before its end a counter counts as ending: enough for what is sent until the keys are changed.
const counterEnd = 10 * CounterAhead

// lastSequence is the last key sequence. There is no way on from it.
const lastSequence = keys.Sequence(math.MaxUint32)

// A Counter is the frame counter of one layer. A value is used once at most, whatever happens to the node: only values below a stored
// limit are given out. The largest value is never used (IEEE 802.15.4-2006 §7.5.8.2.3).
//
// Deviation: Thread begins it anew with each key sequence. Here it goes on, through changes of the sequence, the network key and the
// address, as long as there are values: a node that comes back to a key and an address that it had before repeats none of its nonces,
// without a memory of all that it ever had. Neighbors take any counter under a later sequence.
type Counter struct {
	next, limit uint32
}

// Next returns the value that the next frame gets.
func (c *Counter) Next() uint32 { return c.next }

// Limit returns the limit to store: values below it may be used from then on.
func (c *Counter) Limit() uint32 { return c.next + min(CounterAhead, math.MaxUint32-c.next) }

// Stored says that a limit is stored.
func (c *Counter) Stored(limit uint32) { c.limit = limit }

// Revoke takes the limit back: what goes with the counter has changed, and must be stored before another value is used.
func (c *Counter) Revoke() { c.limit = 0 }

// Low reports whether it is time to store another limit, before frames have to wait for that.
func (c *Counter) Low() bool {
	return c.limit < math.MaxUint32 && (c.limit < c.next || c.limit-c.next < CounterAhead/2)
}

// Ending reports whether so few values are left that it is time for a key under which they begin anew.
func (c *Counter) Ending() bool { return c.next > math.MaxUint32-counterEnd }

// Spent reports whether no value is left.
func (c *Counter) Spent() bool { return c.next == math.MaxUint32 }

// Restore goes on from a limit that was stored: values below it may have been used.
func (c *Counter) Restore(limit uint32) { *c = Counter{next: limit} }

// Raise has values below least left out.
func (c *Counter) Raise(least uint32) {
	if c.next < least {
		c.Restore(least)
	}
}

// Reset begins anew, under keys that were never used.
func (c *Counter) Reset() { *c = Counter{} }

// Take returns the next value and uses it up. Where the stored limit is reached it calls reserve, which stores another one. It reports
// false if that fails or the counter is used up: then nothing may be secured.
func (c *Counter) Take(reserve func() bool) (uint32, bool) {
	if c.next >= c.limit && (c.Spent() || !reserve()) {
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
// Under one network key the sequence only moves forward, up to the last one:
//
//	sequence n ──► n+1   after the rotation time; by command; or behind a neighbor that has moved on (Thread 1.1 §7.1.7), but not
//	                     to the very next one while the guard time since the last such move lasts
//	           ──► h+1   when the frame counters end (Renew), h being the highest that was ever used
//
// Where Renew led is the least sequence under any network key from then on, so that those below belong to the counters before.
type Keychain struct {
	// Life is how long a sequence lasts, Guard the part of it in which a neighbor is not followed to the next one.
	Life, Guard time.Duration

	core     *core.Core
	moved    func() // called when the sequence has changed
	network  [keys.Size]byte
	sequence keys.Sequence
	rotated  time.Time     // zero before the life of the sequence has begun
	age      time.Duration // of the sequence, from before a restart
	guarded  bool

	// Under any key, least is the first sequence that the present frame counters may be used with, highest the last that was used.
	least, highest keys.Sequence

	// former are network keys of before, as a ring.
	former     [maxFormer][keys.Size]byte
	nextFormer int

	// sets are the ciphers in use: those of the current sequence and its two neighbors.
	sets [3]keySet
	next int // of sets to be overwritten
}

// New returns a keychain of a network at key sequence 0. moved is called whenever the sequence changes, before anything is secured
// under the new one: it must be stored first.
func New(c *core.Core, network [keys.Size]byte, moved func()) *Keychain {
	return &Keychain{core: c, network: network, moved: moved}
}

// NetworkKey returns the network key.
func (k *Keychain) NetworkKey() [keys.Size]byte { return k.network }

// maxFormer is how many network keys are remembered.
const maxFormer = 16

// Had reports whether the node, since it was made, has had a network key that is not the present one: of the last changes alone.
func (k *Keychain) Had(key [keys.Size]byte) bool {
	return key != [keys.Size]byte{} && key != k.network && slices.Contains(k.former[:], key)
}

// SetNetworkKey changes the network key; the key sequence starts at the least one again.
func (k *Keychain) SetNetworkKey(key [keys.Size]byte) {
	k.former[k.nextFormer] = k.network
	k.nextFormer = (k.nextFormer + 1) % maxFormer
	_, k.highest = k.Bounds()
	k.network = key
	k.sets = [3]keySet{}
	k.sequence, k.rotated, k.age = k.least, time.Time{}, 0
}

// Sequence returns the key sequence under which this node sends.
func (k *Keychain) Sequence() keys.Sequence { return k.sequence }

// Bounds returns the least key sequence that may be used with the present frame counters, and the highest that was used, under any
// network key.
func (k *Keychain) Bounds() (least, highest keys.Sequence) {
	return k.least, max(k.highest, k.sequence)
}

// RestoreBounds takes up bounds that were stored.
func (k *Keychain) RestoreBounds(least, highest keys.Sequence) {
	k.least, k.highest = least, max(least, highest)
	k.sequence = max(k.sequence, least)
}

// Restore takes up a sequence that was stored, and how long it had lasted.
func (k *Keychain) Restore(seq keys.Sequence, age time.Duration) {
	k.sequence, k.age = max(seq, k.least), age
}

// Start begins the life of the present sequence, or goes on with it, without guard.
func (k *Keychain) Start() {
	k.guarded = false
	if k.rotated.IsZero() {
		k.rotated = k.core.Now.Add(-k.age)
	}
}

// Age returns how long the present sequence has lasted.
func (k *Keychain) Age() time.Duration {
	if k.rotated.IsZero() {
		return k.age
	}
	return k.core.Now.Sub(k.rotated)
}

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
	if ahead := int64(seq) - int64(k.sequence); -1 <= ahead && ahead <= 1 {
		return k.set(seq).mle
	}
	return ieee802154.NewCCM(keys.Derive(k.network, seq).MLE)
}

// Guarded reports whether the present sequence is too young for a neighbor's seq to be followed.
func (k *Keychain) Guarded(seq keys.Sequence) bool {
	return seq > k.sequence && seq-k.sequence == 1 && k.guarded && k.Age() < k.Guard
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

// Advance moves to a later sequence, guarded from then on or not. It reports false for an earlier one, and for the last of all: no
// other would ever follow it.
func (k *Keychain) Advance(seq keys.Sequence, guarded bool) bool {
	if seq < k.sequence || seq == lastSequence {
		return false
	}
	if seq > k.sequence {
		k.move(seq)
		k.guarded = guarded
	}
	return true
}

// Rotate moves to the next sequence when the present one has lasted for its life. The last one lasts for ever.
func (k *Keychain) Rotate() {
	if k.Age() >= k.Life && k.sequence < lastSequence {
		k.move(k.sequence + 1)
	}
}

// Renew moves to a sequence that was never used, under any network key, for frame counters that begin anew. It reports false if there
// is none left.
func (k *Keychain) Renew() bool {
	_, highest := k.Bounds()
	if highest == lastSequence {
		return false
	}
	k.least = highest + 1
	k.move(k.least)
	return true
}

func (k *Keychain) move(seq keys.Sequence) {
	k.sequence, k.highest = seq, max(k.highest, seq)
	k.rotated = k.core.Now
	k.core.Log.Info("key sequence", "sequence", uint32(seq))
	k.moved()
}
