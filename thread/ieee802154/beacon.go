package ieee802154

import "bytes"

// Thread's beacon payload (Thread 1.1).
const (
	// ThreadProtocolID heads the beacon payload of a Thread network.
	ThreadProtocolID = 3

	// ThreadProtocolVersion is the version of the beacon payload.
	ThreadProtocolVersion = 2

	// NetworkNameSize is the size of the network name field in bytes.
	NetworkNameSize = 16

	// ExtPANIDSize is the size of an extended PAN ID in bytes.
	ExtPANIDSize = 8

	beaconVersionShift = 4
	nativeCommissioner = 1 << 3
	joiningPermitted   = 1 << 0

	// Offsets behind the header of the beacon.
	beaconFlagsOffset    = 1
	beaconNameOffset     = 2
	beaconExtPANIDOffset = beaconNameOffset + NetworkNameSize
	beaconPayloadSize    = beaconExtPANIDOffset + ExtPANIDSize
)

// Header of a beacon (§7.2.2.1).
const (
	superframeSize  = 2
	gtsSpecSize     = 1
	pendingSpecSize = 1

	gtsCountMask      = 0x7
	gtsDirectionsSize = 1 // present if there are GTS descriptors
	gtsDescriptorSize = 3

	pendingShortMask = 0x7
	pendingExtShift  = 4
	pendingExtMask   = 0x7

	// superframeNonBeacon is the superframe specification of a network without
	// superframes: beacon and superframe order 15, final CAP slot 15.
	superframeNonBeacon = 0x0fff
)

// A BeaconPayload is the payload of the beacon with which a Thread router
// answers a beacon request:
//
//	┌────────────┬──────┬─────────┬──────────┬───────┬─────────┬──────────┐
//	│ superframe │ GTS  │ pending │ protocol │ flags │ network │ extended │
//	│ 0x0fff     │ 0x00 │ 0x00    │ id  3    │       │ name    │ PAN ID   │
//	│ 2          │ 1    │ 1       │ 1        │ 1     │ 16      │ 8        │
//	└────────────┴──────┴─────────┴──────────┴───────┴─────────┴──────────┘
//
// The flags are: bits 4-7 version, bit 3 native commissioner, bit 0 joining
// permitted.
type BeaconPayload struct {
	Version            uint8 // 0 to 15; ThreadProtocolVersion
	NativeCommissioner bool
	JoiningPermitted   bool
	NetworkName        string // UTF-8, at most NetworkNameSize bytes
	ExtPANID           [ExtPANIDSize]byte
}

// ParseBeaconPayload parses the Payload of a Beacon frame, which starts with
// the superframe specification. GTS and pending addresses, which Thread does
// not use, are skipped, and what follows the extended PAN ID is ignored. It
// fails with [ErrTruncated], or with [ErrBeaconPayload] if the protocol is not
// Thread.
func ParseBeaconPayload(b []byte) (BeaconPayload, error) {
	n, err := beaconHeaderSize(b)
	if err != nil {
		return BeaconPayload{}, err
	}
	b = b[n:]
	if len(b) > 0 && b[0] != ThreadProtocolID {
		return BeaconPayload{}, ErrBeaconPayload
	}
	if len(b) < beaconPayloadSize {
		return BeaconPayload{}, ErrTruncated
	}
	flags := b[beaconFlagsOffset]
	name, _, _ := bytes.Cut(b[beaconNameOffset:beaconExtPANIDOffset], []byte{0})
	return BeaconPayload{
		Version:            flags >> beaconVersionShift,
		NativeCommissioner: flags&nativeCommissioner != 0,
		JoiningPermitted:   flags&joiningPermitted != 0,
		NetworkName:        string(name),
		ExtPANID:           [ExtPANIDSize]byte(b[beaconExtPANIDOffset:]),
	}, nil
}

// AppendBinary appends the payload to b, beginning with the superframe
// specification. It fails with [ErrBeaconPayload] if the version or the network
// name does not fit.
func (p BeaconPayload) AppendBinary(b []byte) ([]byte, error) {
	if p.Version > 15 || len(p.NetworkName) > NetworkNameSize {
		return b, ErrBeaconPayload
	}
	flags := p.Version << beaconVersionShift
	if p.NativeCommissioner {
		flags |= nativeCommissioner
	}
	if p.JoiningPermitted {
		flags |= joiningPermitted
	}
	var name [NetworkNameSize]byte
	copy(name[:], p.NetworkName)

	b = append(b, superframeNonBeacon&0xff, superframeNonBeacon>>8)
	b = append(b, 0, 0) // no GTS, no pending addresses
	b = append(b, ThreadProtocolID, flags)
	b = append(b, name[:]...)
	return append(b, p.ExtPANID[:]...), nil
}

// beaconHeaderSize returns the size of the superframe specification, GTS fields
// and pending address fields at the start of b in bytes.
func beaconHeaderSize(b []byte) (int, error) {
	n := superframeSize + gtsSpecSize
	if len(b) < n {
		return 0, ErrTruncated
	}
	if gts := int(b[superframeSize] & gtsCountMask); gts > 0 {
		n += gtsDirectionsSize + gts*gtsDescriptorSize
	}
	if len(b) < n+pendingSpecSize {
		return 0, ErrTruncated
	}
	pending := int(b[n])
	n += pendingSpecSize +
		(pending&pendingShortMask)*ShortAddrSize +
		(pending>>pendingExtShift&pendingExtMask)*ExtAddrSize
	if len(b) < n {
		return 0, ErrTruncated
	}
	return n, nil
}
