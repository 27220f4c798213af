package meshcop

import (
	"bytes"
	"encoding/binary"
)

// A Beacon is what a node tells of its network to whoever asks on its channel (Thread 1.1 §8.4.4.1.1): the payload of an IEEE 802.15.4
// beacon frame.
//
//	0                     2        3                   4           5         6              22                30
//	┌─────────────────────┬────────┬───────────────────┬───────────┬─────────┬──────────────┬─────────────────┐
//	│ superframe 0xff0f   │ GTS 0  │ pending address 0 │ protocol 3│ version │ network name │ extended PAN ID │
//	│                     │        │                   │           │ flags   │ 0-padded     │                 │
//	└─────────────────────┴────────┴───────────────────┴───────────┴─────────┴──────────────┴─────────────────┘
//
// A network whose security policy forbids it tells no more than the first four bytes.
type Beacon struct {
	Version            uint8 // of the protocol, 4 bits
	NativeCommissioner bool  // the network allows native commissioners
	Joinable           bool  // joiners are let in
	NetworkName        string
	ExtendedPANID      [8]byte
}

// BeaconVersion is the protocol version in beacons and in discovery messages of Thread 1.1.
const BeaconVersion = 2

// Layout of a beacon payload, and its flags.
const (
	superframe           = 0x0fff // no beacons in between, no superframe (IEEE 802.15.4-2006 §7.2.2.1.2)
	beaconHeaderSize     = 4
	beaconProtocolThread = 3
	beaconNameOffset     = beaconHeaderSize + 2
	beaconExtPANOffset   = beaconNameOffset + maxNetworkNameSize
	beaconSize           = beaconExtPANOffset + extendedPANIDSize
	beaconVersionShift   = 4
	beaconNativeFlag     = 1 << 3
	beaconJoinableFlag   = 1 << 0
)

// ParseBeacon parses the payload of a beacon frame. It fails with ErrTLVLength if that is too short, and with ErrTLVValue if it is not
// Thread's. What follows is ignored.
func ParseBeacon(payload []byte) (Beacon, error) {
	if len(payload) < beaconSize {
		return Beacon{}, ErrTLVLength
	}
	if binary.LittleEndian.Uint16(payload) != superframe || payload[2] != 0 || payload[3] != 0 || payload[beaconHeaderSize] != beaconProtocolThread {
		return Beacon{}, ErrTLVValue
	}
	flags := payload[beaconHeaderSize+1]
	name, _, _ := bytes.Cut(payload[beaconNameOffset:beaconExtPANOffset], []byte{0})
	return Beacon{
		Version: flags >> beaconVersionShift, NativeCommissioner: flags&beaconNativeFlag != 0, Joinable: flags&beaconJoinableFlag != 0,
		NetworkName: string(name), ExtendedPANID: [8]byte(payload[beaconExtPANOffset:]),
	}, nil
}

// AppendBinary appends the payload of the beacon to b. It never fails; a name that is too long is cut.
func (n Beacon) AppendBinary(b []byte) ([]byte, error) {
	flags := n.Version << beaconVersionShift
	if n.NativeCommissioner {
		flags |= beaconNativeFlag
	}
	if n.Joinable {
		flags |= beaconJoinableFlag
	}
	var name [maxNetworkNameSize]byte
	copy(name[:], n.NetworkName)
	b = append(AppendEmptyBeacon(b), beaconProtocolThread, flags)
	return append(append(b, name[:]...), n.ExtendedPANID[:]...), nil
}

// AppendEmptyBeacon appends the payload of a beacon that tells nothing.
func AppendEmptyBeacon(b []byte) []byte {
	return append(binary.LittleEndian.AppendUint16(b, superframe), 0, 0)
}
