package lowpan

import (
	"encoding/binary"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// The fragment header (RFC 4944 §5.3).
const (
	frag1Size    = 4
	fragNSize    = 5
	fragSizeMask = 1<<11 - 1
	fragUnit     = 8 // bytes; offsets count them
)

// FragmentHeader is the header of a first fragment, whose Offset is 0, or of a subsequent one (RFC 4944 §5.3).
type FragmentHeader struct {
	DatagramSize uint16 // bytes of the whole datagram, uncompressed: 40 to 1280
	Tag          uint16 // the same in all fragments of a datagram
	Offset       uint16 // bytes of the uncompressed datagram before this fragment, a multiple of 8
}

// ParseFragmentHeader parses the fragment header at the start of b, which is [FragmentHeader.Size] bytes long there. A
// datagram size or an offset that no datagram can have is [ErrMalformed].
func ParseFragmentHeader(b []byte) (FragmentHeader, error) {
	r := reader{b: b}
	first := r.uint16()
	h := FragmentHeader{DatagramSize: first & fragSizeMask, Tag: r.uint16()}
	switch DispatchOf(b) {
	case DispatchFirstFragment:
		if !r.short && !h.valid() {
			return FragmentHeader{}, ErrMalformed
		}
	case DispatchSubsequentFragment:
		h.Offset = uint16(r.uint8()) * fragUnit
		if !r.short && (h.Offset == 0 || !h.valid()) {
			return FragmentHeader{}, ErrMalformed
		}
	default:
		if !r.short {
			return FragmentHeader{}, ErrUnsupported
		}
	}
	if r.short {
		return FragmentHeader{}, ErrTruncated
	}
	return h, nil
}

func (h FragmentHeader) valid() bool {
	return h.DatagramSize >= ip6.HeaderSize && h.DatagramSize <= MaxDatagramSize &&
		h.Offset%fragUnit == 0 && h.Offset < h.DatagramSize
}

// Size returns the length of the header in bytes: 4 for a first fragment and 5 for a subsequent one.
func (h FragmentHeader) Size() int {
	if h.Offset == 0 {
		return frag1Size
	}
	return fragNSize
}

// AppendBinary appends the header to b. It fails with [ErrRange] for what ParseFragmentHeader would refuse.
func (h FragmentHeader) AppendBinary(b []byte) ([]byte, error) {
	if !h.valid() {
		return b, ErrRange
	}
	dispatch := uint16(frag1Dispatch)
	if h.Offset != 0 {
		dispatch = fragNDispatch
	}
	b = binary.BigEndian.AppendUint16(b, dispatch<<fragDispatchShift|h.DatagramSize)
	b = binary.BigEndian.AppendUint16(b, h.Tag)
	if h.Offset != 0 {
		b = append(b, uint8(h.Offset/fragUnit))
	}
	return b, nil
}

// Packet is a datagram on its way into frames.
type Packet struct {
	Datagram []byte
	Tag      uint16          // written only if the datagram needs fragments
	Src, Dst ieee802154.Addr // the frame's addresses, or those of the mesh header where there is one
}

// AppendFrame appends to dst the payload of the frame that carries the datagram from offset on, in at most room bytes:
// the whole datagram if offset is 0 and there is room, otherwise a fragment. It returns the offset for the next frame,
// which is len(p.Datagram) when this is the last one. Start with offset 0 and go on with what was returned.
//
// A mesh header is the caller's: it goes in front and is no part of room.
func (p Packet) AppendFrame(dst []byte, offset, room int, ctx *Contexts) (out []byte, next int, err error) {
	if len(p.Datagram) > MaxDatagramSize {
		return dst, offset, ErrSize
	}
	if offset < 0 || offset > len(p.Datagram) {
		return dst, offset, ErrRange
	}
	if offset == 0 {
		return p.appendFirst(dst, room, ctx)
	}
	h := FragmentHeader{DatagramSize: uint16(len(p.Datagram)), Tag: p.Tag, Offset: uint16(offset)}
	if room < fragNSize+fragUnit && room < fragNSize+len(p.Datagram)-offset {
		return dst, offset, ErrRoom
	}
	if out, err = h.AppendBinary(dst); err != nil {
		return dst, offset, err
	}
	next = p.fragmentEnd(offset, room-fragNSize)
	return append(out, p.Datagram[offset:next]...), next, nil
}

func (p Packet) appendFirst(dst []byte, room int, ctx *Contexts) (out []byte, next int, err error) {
	out, consumed, err := Compress(dst, p.Datagram, p.Src, p.Dst, ctx)
	if err != nil {
		return dst, 0, err
	}
	size := len(out) - len(dst)
	if size+len(p.Datagram)-consumed <= room {
		return append(out, p.Datagram[consumed:]...), len(p.Datagram), nil
	}
	room -= frag1Size + size
	if room < 0 {
		return dst, 0, ErrRoom
	}

	// The header before the compressed ones: make room for it and move them.
	h := FragmentHeader{DatagramSize: uint16(len(p.Datagram)), Tag: p.Tag}
	out = append(out, make([]byte, frag1Size)...)
	copy(out[len(dst)+frag1Size:], out[len(dst):])
	if _, err = h.AppendBinary(out[:len(dst)]); err != nil {
		return dst, 0, err
	}
	next = p.fragmentEnd(consumed, room)
	return append(out, p.Datagram[consumed:next]...), next, nil
}

// fragmentEnd returns where a fragment from offset on with room for n bytes ends: every one but the last is a multiple
// of 8 bytes long.
func (p Packet) fragmentEnd(offset, n int) int {
	if left := len(p.Datagram) - offset; left <= n {
		return len(p.Datagram)
	}
	return offset + n/fragUnit*fragUnit
}
