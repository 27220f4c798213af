package lowpan

import "github.com/gopymesh/pymesh/thread/ieee802154"

// Packet is a datagram on its way into frames.
type Packet struct {
	Datagram []byte
	Tag      uint16          // written only if the datagram needs fragments
	Src, Dst ieee802154.Addr // the frame's addresses, or those of the mesh header where there is one
	Ends     Ends            // what may be left out, if the datagram fits into one frame then
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
	if ends := p.endsOf(ctx); ends != (Ends{}) {
		out, consumed, err := compress(dst, p.Datagram, p.Src, p.Dst, ctx, ends)
		if err == nil && len(out)-len(dst)+len(p.Datagram)-consumed <= room {
			return append(out, p.Datagram[consumed:]...), len(p.Datagram), nil
		}
	}
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
