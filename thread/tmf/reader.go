package tmf

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Reader reads the TLVs of a payload and keeps the first error, so that a handler takes all that it needs, asks once whether
// the payload was in order, and only then looks at what it has:
//
//	r := p.Read()
//	target, iid := r.TargetEID(), r.MLEID()
//	age, isChild := r.OptionalTimeSinceLastTransaction()
//	if err := r.Err(); err != nil {
//		return err
//	}
//
// The methods named for a TLV demand it: without it the error is ErrAbsent. Those named Optional do not, and report whether
// there is one. To both a malformed TLV is an error, ErrTLVLength. In a payload that has an error all return zero values, and
// nothing is present any more.
type Reader struct {
	p   Payload
	err error
}

// Read returns a Reader of p.
func (p Payload) Read() Reader { return Reader{p: p} }

// Err returns the first error, or nil if all that was read so far is in order.
func (r *Reader) Err() error { return r.err }

// required returns what get finds, and optional whether there is something. They take the first error and hand it on, and no Reader:
// where one is used it need not be on the heap.
func required[T any](p Payload, err error, get func(Payload) (T, error)) (v T, _ error) {
	if err != nil {
		return v, err
	}
	return get(p)
}

func optional[T any](p Payload, err error, get func(Payload) (T, error)) (v T, ok bool, _ error) {
	if err != nil {
		return v, false, err
	}
	switch v, err = get(p); err {
	case nil:
		return v, true, nil
	case ErrAbsent:
		return v, false, nil
	}
	return v, false, err
}

// TargetEID reads the address that a query, notification or error is about.
func (r *Reader) TargetEID() (v netip.Addr) {
	v, r.err = required(r.p, r.err, Payload.TargetEID)
	return v
}

// ExtendedMACAddress reads the sender's extended address.
func (r *Reader) ExtendedMACAddress() (v ieee802154.ExtAddr) {
	v, r.err = required(r.p, r.err, Payload.ExtendedMACAddress)
	return v
}

// RLOC16 reads the RLOC16 TLV.
func (r *Reader) RLOC16() (v mle.RLOC16) {
	v, r.err = required(r.p, r.err, Payload.RLOC16)
	return v
}

// MLEID reads the interface identifier of a mesh-local endpoint identifier.
func (r *Reader) MLEID() (v [8]byte) {
	v, r.err = required(r.p, r.err, Payload.MLEID)
	return v
}

// Status reads the Status TLV.
func (r *Reader) Status() (v Status) {
	v, r.err = required(r.p, r.err, Payload.Status)
	return v
}

// RouterMask reads the Router Mask TLV.
func (r *Reader) RouterMask() (v RouterMask) {
	v, r.err = required(r.p, r.err, Payload.RouterMask)
	return v
}

// OptionalRLOC16 reads the RLOC16 TLV, if there is one.
func (r *Reader) OptionalRLOC16() (v mle.RLOC16, ok bool) {
	v, ok, r.err = optional(r.p, r.err, Payload.RLOC16)
	return v, ok
}

// OptionalTimeSinceLastTransaction reads the Time Since Last Transaction TLV, if there is one, in whole seconds.
func (r *Reader) OptionalTimeSinceLastTransaction() (v time.Duration, ok bool) {
	v, ok, r.err = optional(r.p, r.err, Payload.TimeSinceLastTransaction)
	return v, ok
}
