package mle

import "time"

// Reader reads the TLVs of a message and keeps the first error, so that a handler takes all that it needs, asks once
// whether the message was in order, and only then looks at what it has:
//
//	r := m.Read()
//	source, leader := r.SourceAddress(), r.LeaderData()
//	route, hasRoute := r.OptionalRoute64()
//	if err := r.Err(); err != nil {
//		return err
//	}
//
// The methods named for a TLV demand it: without it the error is ErrAbsent. Those named Optional do not, and report whether
// there is one. To both a malformed TLV is an error, ErrTLVLength or ErrTLVValue. In a message that has an error all return
// zero values, and nothing is present any more. What a method returns as bytes aliases the message.
type Reader struct {
	m   Message
	err error
}

// Read returns a Reader of m.
func (m Message) Read() Reader { return Reader{m: m} }

// Err returns the first error, or nil if all that was read so far is in order.
func (r *Reader) Err() error { return r.err }

// required returns what get finds, and optional whether there is something. They take the first error and hand it on, and no Reader:
// where one is used it need not be on the heap.
func required[T any](m Message, err error, get func(Message) (T, error)) (v T, _ error) {
	if err != nil {
		return v, err
	}
	return get(m)
}

func optional[T any](m Message, err error, get func(Message) (T, error)) (v T, ok bool, _ error) {
	if err != nil {
		return v, false, err
	}
	switch v, err = get(m); err {
	case nil:
		return v, true, nil
	case ErrAbsent:
		return v, false, nil
	}
	return v, false, err
}

// SourceAddress reads the Source Address TLV.
func (r *Reader) SourceAddress() (v RLOC16) {
	v, r.err = required(r.m, r.err, Message.SourceAddress)
	return v
}

// Mode reads the Mode TLV.
func (r *Reader) Mode() (v Mode) {
	v, r.err = required(r.m, r.err, Message.Mode)
	return v
}

// Timeout reads the Timeout TLV, in whole seconds.
func (r *Reader) Timeout() (v time.Duration) {
	v, r.err = required(r.m, r.err, Message.Timeout)
	return v
}

// Challenge reads the Challenge TLV.
func (r *Reader) Challenge() (v Challenge) {
	v, r.err = required(r.m, r.err, Message.Challenge)
	return v
}

// Response reads the Response TLV; it equals (==) the Challenge it answers.
func (r *Reader) Response() (v Challenge) {
	v, r.err = required(r.m, r.err, Message.Response)
	return v
}

// FrameCounters reads the Link-layer Frame Counter TLV and the MLE Frame Counter TLV, which a sender omits if both are equal.
func (r *Reader) FrameCounters() (linkLayer, mle uint32) {
	linkLayer, r.err = required(r.m, r.err, Message.LinkLayerFrameCounter)
	mle, ok, err := optional(r.m, r.err, Message.MLEFrameCounter)
	r.err = err
	switch {
	case r.err != nil:
		return 0, 0
	case !ok:
		return linkLayer, linkLayer
	}
	return linkLayer, mle
}

// Route64 reads the Route64 TLV.
func (r *Reader) Route64() (v Route64) {
	v, r.err = required(r.m, r.err, Message.Route64)
	return v
}

// Address16 reads the Address16 TLV.
func (r *Reader) Address16() (v RLOC16) {
	v, r.err = required(r.m, r.err, Message.Address16)
	return v
}

// LeaderData reads the Leader Data TLV.
func (r *Reader) LeaderData() (v LeaderData) {
	v, r.err = required(r.m, r.err, Message.LeaderData)
	return v
}

// NetworkData reads the Network Data TLV, whose value is package netdata's.
func (r *Reader) NetworkData() (v []byte) {
	v, r.err = required(r.m, r.err, Message.NetworkData)
	return v
}

// TLVRequest reads the TLV Request TLV.
func (r *Reader) TLVRequest() (v TLVRequest) {
	v, r.err = required(r.m, r.err, Message.TLVRequest)
	return v
}

// ScanMask reads the Scan Mask TLV.
func (r *Reader) ScanMask() (v ScanMask) {
	v, r.err = required(r.m, r.err, Message.ScanMask)
	return v
}

// Connectivity reads the Connectivity TLV.
func (r *Reader) Connectivity() (v Connectivity) {
	v, r.err = required(r.m, r.err, Message.Connectivity)
	return v
}

// LinkMargin reads the Link Margin TLV, in dB.
func (r *Reader) LinkMargin() (v uint8) {
	v, r.err = required(r.m, r.err, Message.LinkMargin)
	return v
}

// Version reads the Version TLV.
func (r *Reader) Version() (v Version) {
	v, r.err = required(r.m, r.err, Message.Version)
	return v
}

// AddressRegistration reads the Address Registration TLV.
func (r *Reader) AddressRegistration() (v AddressRegistration) {
	v, r.err = required(r.m, r.err, Message.AddressRegistration)
	return v
}

// OptionalSourceAddress reads the Source Address TLV, if there is one.
func (r *Reader) OptionalSourceAddress() (v RLOC16, ok bool) {
	v, ok, r.err = optional(r.m, r.err, Message.SourceAddress)
	return v, ok
}

// OptionalTimeout reads the Timeout TLV, if there is one, in whole seconds.
func (r *Reader) OptionalTimeout() (v time.Duration, ok bool) {
	v, ok, r.err = optional(r.m, r.err, Message.Timeout)
	return v, ok
}

// OptionalChallenge reads the Challenge TLV, if there is one.
func (r *Reader) OptionalChallenge() (v Challenge, ok bool) {
	v, ok, r.err = optional(r.m, r.err, Message.Challenge)
	return v, ok
}

// OptionalResponse reads the Response TLV, if there is one.
func (r *Reader) OptionalResponse() (v Challenge, ok bool) {
	v, ok, r.err = optional(r.m, r.err, Message.Response)
	return v, ok
}

// OptionalFrameCounters reads what FrameCounters does, if there is a Link-layer Frame Counter TLV. An MLE Frame Counter TLV
// alone counts for nothing.
func (r *Reader) OptionalFrameCounters() (linkLayer, mle uint32, ok bool) {
	if r.err != nil || !r.m.Has(TLVLinkLayerFrameCounter) {
		return 0, 0, false
	}
	linkLayer, mle = r.FrameCounters()
	return linkLayer, mle, r.err == nil
}

// OptionalRoute64 reads the Route64 TLV, if there is one.
func (r *Reader) OptionalRoute64() (v Route64, ok bool) {
	v, ok, r.err = optional(r.m, r.err, Message.Route64)
	return v, ok
}

// OptionalAddress16 reads the Address16 TLV, if there is one.
func (r *Reader) OptionalAddress16() (v RLOC16, ok bool) {
	v, ok, r.err = optional(r.m, r.err, Message.Address16)
	return v, ok
}

// OptionalLeaderData reads the Leader Data TLV, if there is one.
func (r *Reader) OptionalLeaderData() (v LeaderData, ok bool) {
	v, ok, r.err = optional(r.m, r.err, Message.LeaderData)
	return v, ok
}

// OptionalNetworkData reads the Network Data TLV, if there is one.
func (r *Reader) OptionalNetworkData() (v []byte, ok bool) {
	v, ok, r.err = optional(r.m, r.err, Message.NetworkData)
	return v, ok
}

// OptionalTLVRequest reads the TLV Request TLV, if there is one. Without it nothing is requested: the result contains
// no type.
func (r *Reader) OptionalTLVRequest() (v TLVRequest, ok bool) {
	v, ok, r.err = optional(r.m, r.err, Message.TLVRequest)
	return v, ok
}

// OptionalLinkMargin reads the Link Margin TLV, if there is one, in dB.
func (r *Reader) OptionalLinkMargin() (v uint8, ok bool) {
	v, ok, r.err = optional(r.m, r.err, Message.LinkMargin)
	return v, ok
}

// OptionalStatus reads the Status TLV, if there is one.
func (r *Reader) OptionalStatus() (v Status, ok bool) {
	v, ok, r.err = optional(r.m, r.err, Message.Status)
	return v, ok
}

// OptionalAddressRegistration reads the Address Registration TLV, if there is one.
func (r *Reader) OptionalAddressRegistration() (v AddressRegistration, ok bool) {
	v, ok, r.err = optional(r.m, r.err, Message.AddressRegistration)
	return v, ok
}

// OptionalActiveTimestamp reads the Active Timestamp TLV, if there is one, whose value is package meshcop's.
func (r *Reader) OptionalActiveTimestamp() (v []byte, ok bool) {
	v, ok, r.err = optional(r.m, r.err, Message.ActiveTimestamp)
	return v, ok
}

// OptionalActiveOperationalDataset reads the Active Operational Dataset TLV, if there is one, whose value is package
// meshcop's.
func (r *Reader) OptionalActiveOperationalDataset() (v []byte, ok bool) {
	v, ok, r.err = optional(r.m, r.err, Message.ActiveOperationalDataset)
	return v, ok
}
