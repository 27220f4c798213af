package mac

import (
	"encoding/binary"

	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// Most of what a node hears is for others. Such a frame is told apart by its first bytes, before it is parsed:
//
//	┌───────────────┬─────┬─────────────────┬─────────────┬────────
//	│ frame control │ seq │ destination PAN │ destination │ …
//	└───────────────┴─────┴─────────────────┴─────────────┴────────
//	0               2     3                 5             7 or 13
//
// That is a shortcut to what ParseFrame and addressed say, never a second opinion: what is odd goes their way.

// Frame control field (IEEE 802.15.4-2006 §7.2.1.1).
const (
	frameTypeMask    = 0x7
	securityEnabled  = 1 << 3
	ackRequestBit    = 1 << 5
	panIDCompression = 1 << 6
	dstModeShift     = 10
	dstModeMask      = 0x3
	versionShift     = 12
	versionMask      = 0x3
	srcModeShift     = 14

	seqOffset    = 2
	dstPANOffset = 3
	dstOffset    = dstPANOffset + ieee802154.PANIDSize

	// A shorter frame is not looked at: the addresses below are surely there.
	minForeign = dstOffset + ieee802154.ExtAddrSize + ieee802154.FCSSize
)

// headerSizes is the size in bytes of the MAC header with PAN ID compression, by the bits of the frame control field from dstModeShift
// on: destination mode, version, source mode. It is 0 where there is no destination, or a value that ParseFrame refuses.
var headerSizes = func() (sizes [1 << (16 - dstModeShift)]uint8) {
	for _, version := range []ieee802154.Version{ieee802154.Version2003, ieee802154.Version2006} {
		for _, dst := range []ieee802154.AddrMode{ieee802154.AddrModeShort, ieee802154.AddrModeExt} {
			for _, src := range []ieee802154.AddrMode{ieee802154.AddrModeNone, ieee802154.AddrModeShort, ieee802154.AddrModeExt} {
				f := ieee802154.Frame{PANIDCompression: true, Dst: ieee802154.Addr{Mode: dst}, Src: ieee802154.Addr{Mode: src}}
				control := int(dst)<<dstModeShift | int(version)<<versionShift | int(src)<<srcModeShift
				sizes[control>>dstModeShift] = uint8(f.HeaderSize())
			}
		}
	}
	return sizes
}()

// securitySizes is the size in bytes of the auxiliary security header and the MIC, by security level and key identifier mode as they
// stand in the security control field (IEEE 802.15.4-2006 §7.6.2.2). It is 0 for the level that no secured frame has.
var securitySizes = func() (sizes [1 << 5]uint8) {
	for i := range sizes {
		h := ieee802154.SecurityHeader{Level: ieee802154.SecurityLevel(i & 0x7), KeyIDMode: ieee802154.KeyIDMode(i >> 3)}
		if h.Level != ieee802154.SecurityNone {
			sizes[i] = uint8(h.Size() + h.Level.MICSize())
		}
	}
	return sizes
}()

// isPlainAck reports whether a packet is an acknowledgement as most are, with no bit of its frame control field but the type. If it is
// not, the packet may still be one.
func isPlainAck(psdu []byte) bool {
	return len(psdu) == ieee802154.AckSize && binary.LittleEndian.Uint16(psdu) == uint16(ieee802154.Ack)
}

// isForeign reports whether a packet is a well-formed frame to another node. If it is not, the packet may still be one.
func (m *MAC) isForeign(psdu []byte, rssi int) bool {
	if len(psdu) < minForeign || len(psdu) > ieee802154.MaxPSDU {
		return false
	}
	control := binary.LittleEndian.Uint16(psdu)
	pan := ieee802154.PANID(binary.LittleEndian.Uint16(psdu[dstPANOffset:]))
	switch ieee802154.AddrMode(control >> dstModeShift & dstModeMask) {
	case ieee802154.AddrModeShort:
		if m.takesShort(pan, ieee802154.ShortAddr(binary.LittleEndian.Uint16(psdu[dstOffset:]))) {
			return false
		}
		if m.Passing != nil && ieee802154.AddrMode(control>>srcModeShift) == ieee802154.AddrModeShort && control&panIDCompression != 0 {
			src, dst := binary.LittleEndian.Uint16(psdu[dstOffset+ieee802154.ShortAddrSize:]), binary.LittleEndian.Uint16(psdu[dstOffset:])
			m.Passing(ieee802154.ShortAddr(src), ieee802154.ShortAddr(dst), rssi)
		}
	case ieee802154.AddrModeExt:
		var a ieee802154.ExtAddr
		binary.BigEndian.PutUint64(a[:], binary.LittleEndian.Uint64(psdu[dstOffset:]))
		if m.takesExt(pan, a) {
			return false
		}
		m.Overheard(a, psdu)
	default:
		return false
	}
	return isWellFormed(psdu, control)
}

// isWellFormed reports whether a packet with a destination, of minForeign bytes at least, is one that ParseFrame takes, and no
// acknowledgement.
func isWellFormed(psdu []byte, control uint16) bool {
	size := int(headerSizes[control>>dstModeShift])
	if size == 0 {
		return false
	}
	if control&panIDCompression == 0 && control>>srcModeShift != 0 {
		size += ieee802154.PANIDSize
	}
	if control&securityEnabled != 0 {
		if control>>versionShift&versionMask == 0 || size >= len(psdu) {
			return false
		}
		more := int(securitySizes[psdu[size]&0x1f])
		if more == 0 {
			return false
		}
		size += more
	}
	switch ieee802154.FrameType(control & frameTypeMask) {
	case ieee802154.Beacon, ieee802154.Data:
	case ieee802154.Command:
		size++ // the command identifier
	default:
		return false
	}
	return size+ieee802154.FCSSize <= len(psdu)
}
