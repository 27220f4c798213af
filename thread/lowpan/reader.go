package lowpan

import (
	"encoding/binary"

	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// reader takes fields off the front of a frame. Once a field is longer than what is left, short is set, and that field
// and all later ones read as zero: callers check short at the end.
type reader struct {
	b     []byte
	short bool
}

// bytes returns the next n bytes, which alias the frame, or nil.
func (r *reader) bytes(n int) []byte {
	if r.short || len(r.b) < n {
		r.short = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) uint8() uint8 {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// addr reads a link-layer address in network byte order.
func (r *reader) addr(short bool) ieee802154.Addr {
	if short {
		return ieee802154.ShortAddress(ieee802154.ShortAddr(r.uint16()))
	}
	var ext ieee802154.ExtAddr
	copy(ext[:], r.bytes(len(ext)))
	return ieee802154.ExtAddress(ext)
}
