package ieee802154

import (
	"errors"
	"fmt"
)

// Fixed by IEEE 802.15.4-2006.
const (
	// MaxPSDU is the largest PSDU in bytes, FCS included (aMaxPHYPacketSize, §6.4.1).
	MaxPSDU = 127

	// FCSSize is the size of the frame check sequence in bytes (§7.2.1.9).
	FCSSize = 2

	// AckSize is the size of an acknowledgment frame in bytes (§7.2.2.3).
	AckSize = frameControlSize + seqSize + FCSSize

	frameControlSize = 2
	seqSize          = 1
	commandIDSize    = 1
)

// Errors of this package. They are returned unwrapped.
var (
	ErrTruncated     = errors.New("ieee802154: frame is truncated")
	ErrTooLong       = errors.New("ieee802154: frame is longer than 127 bytes")
	ErrFrameType     = errors.New("ieee802154: frame type is reserved")
	ErrVersion       = errors.New("ieee802154: frame version is not supported")
	ErrAddrMode      = errors.New("ieee802154: address mode is reserved")
	ErrSecurity      = errors.New("ieee802154: auxiliary security header is invalid")
	ErrNotSecured    = errors.New("ieee802154: frame is not secured")
	ErrAuth          = errors.New("ieee802154: message authentication failed")
	ErrBeaconPayload = errors.New("ieee802154: beacon payload is not Thread's")
)

// FrameType is the kind of a frame (§7.2.1.1.1).
type FrameType uint8

// Frame types. Types 4 to 7 are reserved.
const (
	Beacon  FrameType = 0
	Data    FrameType = 1
	Ack     FrameType = 2
	Command FrameType = 3
)

// String returns "beacon", "data", "ack", "command" or the number.
func (t FrameType) String() string {
	switch t {
	case Beacon:
		return "beacon"
	case Data:
		return "data"
	case Ack:
		return "ack"
	case Command:
		return "command"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Version is the edition of the standard that a frame follows (§7.2.1.1.7).
// Beacons, acknowledgments and beacon requests are of 2003, all other frames
// of Thread 1.1 are of 2006.
type Version uint8

// Frame versions. Version2015 is known but not supported.
const (
	Version2003 Version = 0
	Version2006 Version = 1
	Version2015 Version = 2
)

// String returns the year of the edition, or the number of a reserved version.
func (v Version) String() string {
	switch v {
	case Version2003:
		return "2003"
	case Version2006:
		return "2006"
	case Version2015:
		return "2015"
	}
	return fmt.Sprintf("version %d", uint8(v))
}

// CommandID identifies a MAC command (§7.3).
type CommandID uint8

// MAC commands. Thread uses DataRequest and BeaconRequest.
const (
	AssociationRequest         CommandID = 1
	AssociationResponse        CommandID = 2
	DisassociationNotification CommandID = 3
	DataRequest                CommandID = 4
	PANIDConflictNotification  CommandID = 5
	OrphanNotification         CommandID = 6
	BeaconRequest              CommandID = 7
	CoordinatorRealignment     CommandID = 8
	GTSRequest                 CommandID = 9
)

// String returns the standard's name of the command, or its number.
func (c CommandID) String() string {
	switch c {
	case AssociationRequest:
		return "association request"
	case AssociationResponse:
		return "association response"
	case DisassociationNotification:
		return "disassociation notification"
	case DataRequest:
		return "data request"
	case PANIDConflictNotification:
		return "PAN ID conflict notification"
	case OrphanNotification:
		return "orphan notification"
	case BeaconRequest:
		return "beacon request"
	case CoordinatorRealignment:
		return "coordinator realignment"
	case GTSRequest:
		return "GTS request"
	}
	return fmt.Sprintf("command %d", uint8(c))
}

// A Frame is a MAC frame without its FCS.
type Frame struct {
	Type    FrameType
	Version Version

	FramePending bool
	AckRequest   bool

	// PANIDCompression elides the source PAN ID when both addresses are
	// present: it is DstPAN then, and SrcPAN is ignored.
	PANIDCompression bool

	Seq uint8

	// DstPAN and SrcPAN are present if, and only if, Dst and Src are.
	DstPAN, SrcPAN PANID
	Dst, Src       Addr

	// Security is the auxiliary security header; Level SecurityNone means
	// that there is none.
	Security SecurityHeader

	// Command is the command of a Command frame. It is never encrypted.
	Command CommandID

	// Payload is what follows the headers, and Command in a Command frame. In
	// a Beacon it starts with the superframe specification. In a secured frame
	// from ParseFrame it is the ciphertext (or, below SecurityENC, the
	// plaintext) followed by the MIC; for AppendSealed it is the plaintext.
	Payload []byte
}

// HeaderSize returns the bytes in front of the payload: the MAC header, the
// auxiliary security header and the command identifier.
func (f *Frame) HeaderSize() int {
	n := frameControlSize + seqSize
	if f.Dst.Mode != AddrModeNone {
		n += PANIDSize + f.Dst.Mode.size()
	}
	if f.Src.Mode != AddrModeNone {
		n += f.Src.Mode.size()
		if !f.elidesSrcPAN() {
			n += PANIDSize
		}
	}
	if f.Security.Level != SecurityNone {
		n += f.Security.Size()
	}
	if f.Type == Command {
		n += commandIDSize
	}
	return n
}

// Overhead returns the bytes of the frame that are not plaintext: HeaderSize,
// the MIC and the FCS. MaxPSDU - Overhead is the largest plaintext that fits.
func (f *Frame) Overhead() int {
	return f.HeaderSize() + f.Security.Level.MICSize() + FCSSize
}

// elidesSrcPAN reports whether the source PAN ID is left out (§7.2.1.1.5): the
// compression bit counts only if both addresses are there.
func (f *Frame) elidesSrcPAN() bool {
	return f.PANIDCompression && f.Dst.Mode != AddrModeNone && f.Src.Mode != AddrModeNone
}
