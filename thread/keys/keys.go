// Package keys derives the keys of a Thread network and guards against
// replayed frames (Thread 1.1 §7).
//
// All keys follow from the network key and the key sequence, which every node
// of a partition shares and which advances now and then (§7.1.4):
//
//	HMAC-SHA-256(network key, key sequence ‖ "Thread")
//	┌────────────────────┬────────────────────┐
//	│ MLE key            │ MAC key            │
//	│ 16                 │ 16                 │
//	└────────────────────┴────────────────────┘
//
// An MLE message carries the whole key sequence, a MAC frame only the key
// index, see [Sequence.Index] and [FromIndex].
package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// Fixed by Thread 1.1.
const (
	// Size is the size of the network key and of every derived key in bytes.
	Size = 16

	label     = "Thread"
	indexMask = 0x7f

	maxSequence Sequence = 0xffffffff
)

// Mode2Key and Mode2ExtAddr secure the MAC frames that nodes of another key
// sequence must be able to read, such as an MLE Announce: key identifier mode 2
// with the key source ff ff ff ff and key index 0xff, the well-known key, and
// the well-known extended address in the nonce (Thread 1.1 §7).
var (
	Mode2Key = [Size]byte{
		0x78, 0x58, 0x16, 0x86, 0xfd, 0xb4, 0x58, 0x0f,
		0xb0, 0x92, 0x54, 0x6a, 0xec, 0xbd, 0x15, 0x66,
	}
	Mode2ExtAddr = [8]byte{0x35, 0x06, 0xfe, 0xb8, 0x23, 0xd4, 0x87, 0x12}
)

// A Sequence is a key sequence counter (thrKeySequenceCounter).
type Sequence uint32

// Index returns the key index of s that MAC frames and MLE messages carry, 1 to 128.
func (s Sequence) Index() uint8 { return uint8(s&indexMask) + 1 }

// FromIndex returns the sequence among current-1, current and current+1 that
// has the given key index. It reports false if none has: the sender is then too
// far ahead or behind, and only an MLE message, which carries the whole
// sequence, can tell by how much.
func FromIndex(current Sequence, index uint8) (Sequence, bool) {
	switch {
	case current.Index() == index:
		return current, true
	case current > 0 && (current-1).Index() == index:
		return current - 1, true
	case current < maxSequence && (current+1).Index() == index:
		return current + 1, true
	}
	return 0, false
}

// A Pair is the keys of one key sequence.
type Pair struct {
	MLE [Size]byte // secures MLE messages
	MAC [Size]byte // secures MAC frames
}

// Derive returns the keys of sequence seq in the network with the given
// network key (Thread 1.1 §7.1.4).
func Derive(networkKey [Size]byte, seq Sequence) Pair {
	var message [4 + len(label)]byte
	binary.BigEndian.PutUint32(message[:], uint32(seq))
	copy(message[4:], label)

	mac := hmac.New(sha256.New, networkKey[:])
	mac.Write(message[:])
	sum := mac.Sum(nil)

	var p Pair
	copy(p.MLE[:], sum[:Size])
	copy(p.MAC[:], sum[Size:])
	return p
}

// Errors of [Replay.Check].
var (
	// ErrReplay means that the frame is older than the last one accepted.
	ErrReplay = errors.New("keys: frame counter was used before")

	// ErrDuplicate means that the frame has the counter of the last one
	// accepted: the sender missed its acknowledgment and repeats it.
	ErrDuplicate = errors.New("keys: frame is a duplicate of the last one")
)

// maxCounter is the frame counter that no frame may carry: a sender whose
// counter has reached it has used up its key (IEEE 802.15.4-2006 §7.5.8.2.3).
const maxCounter = 0xffffffff

// A Replay guards against replayed frames of one neighbor: the frame counter
// must be ahead of the last one under the same key sequence, and the key
// sequence never goes back (IEEE 802.15.4-2006 §7.5.8.2.3; Thread 1.1 §7).
// MLE and the MAC count separately and so need a Replay each.
//
// The zero Replay accepts any frame. A Replay may be copied.
type Replay struct {
	seq  Sequence
	next uint32 // least counter to accept under seq
}

// ReplayFrom returns a Replay that accepts frame counters from next on under
// key sequence seq, and any under a later one.
func ReplayFrom(seq Sequence, next uint32) Replay { return Replay{seq: seq, next: next} }

// Check reports whether a frame with the given key sequence and frame counter
// is new. It returns nil, [ErrDuplicate] or [ErrReplay] and changes nothing:
// call Accept once the frame is authenticated.
func (r Replay) Check(seq Sequence, counter uint32) error {
	switch {
	case counter == maxCounter, seq < r.seq:
		return ErrReplay
	case seq > r.seq, counter >= r.next:
		return nil
	case counter+1 == r.next:
		return ErrDuplicate
	}
	return ErrReplay
}

// Accept records an authenticated frame that Check found to be new.
func (r *Replay) Accept(seq Sequence, counter uint32) {
	r.seq, r.next = seq, counter+1
}

// Sequence returns the key sequence of the last frame accepted.
func (r Replay) Sequence() Sequence { return r.seq }

// Next returns the least frame counter that is accepted under [Replay.Sequence].
func (r Replay) Next() uint32 { return r.next }
