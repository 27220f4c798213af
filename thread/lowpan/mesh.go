package lowpan

import (
	"encoding/binary"

	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// Fields of the mesh header's first byte (RFC 4944 §5.2).
const (
	meshShortOriginator = 0x20 // V
	meshShortFinal      = 0x10 // F
	meshHopsMask        = 0x0f
	meshDeepHops        = 0x0f // a byte with the hops left follows

	meshMinSize = 1
)

// MeshHeader is a mesh addressing header (RFC 4944 §5.2): it leads a frame over several hops, in Thread from router to
// router.
type MeshHeader struct {
	HopsLeft uint8
	Src      ieee802154.Addr // originator
	Dst      ieee802154.Addr // final destination
}

// ParseMeshHeader parses the mesh header at the start of b, and returns its length there: not the header alone tells it,
// as a sender may spend the extra byte on fewer than 15 hops.
func ParseMeshHeader(b []byte) (h MeshHeader, size int, err error) {
	if len(b) < meshMinSize {
		return MeshHeader{}, 0, ErrTruncated
	}
	first := b[0]
	if first&meshDispatchMask != meshDispatch {
		return MeshHeader{}, 0, ErrUnsupported
	}
	r := reader{b: b[meshMinSize:]}
	h.HopsLeft = first & meshHopsMask
	if h.HopsLeft == meshDeepHops {
		h.HopsLeft = r.uint8()
	}
	h.Src = r.addr(first&meshShortOriginator != 0)
	h.Dst = r.addr(first&meshShortFinal != 0)
	if r.short {
		return MeshHeader{}, 0, ErrTruncated
	}
	return h, len(b) - len(r.b), nil
}

// AppendBinary appends the header to b. Both addresses must be short or extended.
func (h MeshHeader) AppendBinary(b []byte) ([]byte, error) {
	if addrSize(h.Src) == 0 || addrSize(h.Dst) == 0 {
		return b, ErrRange
	}
	first := uint8(meshDispatch)
	if h.Src.Mode == ieee802154.AddrModeShort {
		first |= meshShortOriginator
	}
	if h.Dst.Mode == ieee802154.AddrModeShort {
		first |= meshShortFinal
	}
	if h.HopsLeft < meshDeepHops {
		b = append(b, first|h.HopsLeft)
	} else {
		b = append(b, first|meshDeepHops, h.HopsLeft)
	}
	return appendAddr(appendAddr(b, h.Src), h.Dst), nil
}

func addrSize(a ieee802154.Addr) int {
	switch a.Mode {
	case ieee802154.AddrModeShort:
		return ieee802154.ShortAddrSize
	case ieee802154.AddrModeExt:
		return ieee802154.ExtAddrSize
	default:
		return 0
	}
}

// appendAddr appends a link-layer address in network byte order, which is the order in which it is printed.
func appendAddr(b []byte, a ieee802154.Addr) []byte {
	if a.Mode == ieee802154.AddrModeShort {
		return binary.BigEndian.AppendUint16(b, uint16(a.Short))
	}
	return append(b, a.Ext[:]...)
}
