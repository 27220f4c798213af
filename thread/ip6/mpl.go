package ip6

import "encoding/binary"

// InsertMPLOption appends to b a copy of the datagram that carries opt: in a new hop-by-hop header, or in eight bytes
// and more added to the one that it has. A datagram that already holds an MPL option fails with [ErrMalformed].
//
// This is for destinations of realm-local scope. Wider ones are tunnelled: see [AppendTunnel].
func InsertMPLOption(b, datagram []byte, opt MPLOption) ([]byte, error) {
	d, err := ParseTransit(datagram)
	if err != nil {
		return b, err
	}
	if d.HasMPL {
		return b, ErrMalformed
	}
	start := len(b)
	if d.NextHeader != ProtocolHopByHop {
		h := d.Header
		h.NextHeader = ProtocolHopByHop
		h.PayloadLength += opt.HopByHopSize()
		if b, err = h.AppendBinary(b); err != nil {
			return b[:start], err
		}
		if b, err = opt.AppendHopByHop(b, d.NextHeader); err != nil {
			return b[:start], err
		}
		return append(b, datagram[HeaderSize:]...), nil
	}

	_, size, err := ParseExtensionHeader(datagram[HeaderSize:])
	if err != nil {
		return b, err
	}
	added := roundUp(opt.size())
	units := (size+added)/extensionUnit - 1
	if units > 0xff || d.PayloadLength+added > maxPayloadLength {
		return b, ErrRange
	}
	b = append(b, datagram[:HeaderSize+size]...)
	if b, err = opt.AppendBinary(b); err != nil {
		return b[:start], err
	}
	b = AppendPadding(b, added-opt.size())
	b = append(b, datagram[HeaderSize+size:]...)
	b[start+HeaderSize+1] = uint8(units)
	putPayloadLength(b[start:], d.PayloadLength+added)
	return b, nil
}

// RemoveMPLOption appends to b a copy of the datagram without its MPL option, as a host outside of the mesh expects it.
// The hop-by-hop header goes with it if nothing else is in there; otherwise padding takes the option's place. A
// datagram without the option is copied as it is.
func RemoveMPLOption(b, datagram []byte) ([]byte, error) {
	d, err := ParseTransit(datagram)
	if err != nil {
		return b, err
	}
	if !d.HasMPL {
		return append(b, datagram...), nil
	}
	ext, size, err := ParseExtensionHeader(datagram[HeaderSize:])
	if err != nil {
		return b, err
	}
	var mpl Option
	others := false
	for next := 0; next < len(ext.Content); {
		var o Option
		if o, next, err = NextOption(ext.Content, next); err != nil {
			return b, err
		}
		if o.Type == optionMPL {
			mpl = o
		} else if !o.IsPadding() {
			others = true
		}
	}
	start := len(b)
	if !others {
		b = append(b, datagram[:HeaderSize]...)
		b = append(b, datagram[HeaderSize+size:]...)
		b[start+nextHeaderOffset] = uint8(ext.NextHeader)
		putPayloadLength(b[start:], d.PayloadLength-size)
		return b, nil
	}
	b = append(b, datagram...)
	option := b[start+HeaderSize+extensionHeaderSize+mpl.Offset:]
	option[0] = uint8(optionPadN)
	clear(option[optionHeaderSize : optionHeaderSize+len(mpl.Data)])
	return b, nil
}

// AppendTunnel appends a datagram that carries inner as its payload (RFC 2473) behind a hop-by-hop header with opt, as
// Thread sends multicasts of a scope wider than realm-local. Of outer, PayloadLength and NextHeader are filled in; its
// destination should be [AllMPLForwarders].
func AppendTunnel(b []byte, outer Header, opt MPLOption, inner []byte) ([]byte, error) {
	start := len(b)
	outer.NextHeader = ProtocolHopByHop
	outer.PayloadLength = opt.HopByHopSize() + len(inner)
	b, err := outer.AppendBinary(b)
	if err != nil {
		return b[:start], err
	}
	if b, err = opt.AppendHopByHop(b, ProtocolIPv6); err != nil {
		return b[:start], err
	}
	return append(b, inner...), nil
}

func putPayloadLength(datagram []byte, n int) {
	binary.BigEndian.PutUint16(datagram[payloadLengthOffset:], uint16(n))
}
