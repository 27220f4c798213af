package ip6

import (
	"encoding/binary"
	"slices"
)

// The Fragment header (RFC 8200 §4.5), and the Routing header (§4.4).
const (
	fragmentHeaderSize = 8
	fragmentMask       = 0xfff9 // offset and M flag: both zero in an atomic fragment

	segmentsLeft = 1 // behind the length byte
)

// Datagram is a whole IPv6 datagram, seen by its parts.
type Datagram struct {
	Header
	Bytes    []byte    // the whole datagram; aliases the input
	Protocol Protocol  // of the payload: [ProtocolUDP], [ProtocolICMPv6], [ProtocolIPv6], …
	Offset   int       // of the payload in the datagram
	Payload  []byte    // what follows the extension headers; aliases the input
	MPL      MPLOption // valid if HasMPL
	HasMPL   bool      // an MPL option is in the hop-by-hop header
}

// ParseDatagram parses a whole datagram as its destination does: whose length must be what its header says, up to the payload
// behind the last extension header. A payload of [ProtocolIPv6] is a tunnelled datagram (RFC 2473): call ParseDatagram for
// it again.
//
// Unknown options are skipped or make the datagram fail with [ErrDiscard], as their type asks (RFC 8200 §4.2). No
// parameter problem is reported, as no Thread node does.
func ParseDatagram(b []byte) (Datagram, error) {
	d, err := ParseTransit(b)
	if err == nil {
		err = d.ParseExtensions()
	}
	if err != nil {
		return Datagram{}, err
	}
	return d, nil
}

// ParseTransit parses a whole datagram as a node on its way does, who looks at the hop-by-hop header and at nothing behind it
// (RFC 8200 §4): that is the payload, whatever it is. The destination goes on with [Datagram.ParseExtensions].
func ParseTransit(b []byte) (Datagram, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return Datagram{}, err
	}
	if len(b) != HeaderSize+h.PayloadLength {
		return Datagram{}, ErrLength
	}
	d := Datagram{Header: h, Bytes: b, Protocol: h.NextHeader, Offset: HeaderSize}
	if d.Protocol == ProtocolHopByHop {
		size, err := d.parseOptions(b[d.Offset:], ProtocolHopByHop)
		if err != nil {
			return Datagram{}, err
		}
		d.Offset += size
	}
	d.Payload = b[d.Offset:]
	return d, nil
}

// ParseExtensions goes on behind the hop-by-hop header, up to the payload. With [ErrUnsupported] d stands at the header that this
// package does not process, a Routing header of which segments are left, or that of a fragment: it is the payload then.
func (d *Datagram) ParseExtensions() error {
	for {
		var size int
		var err error
		switch d.Protocol {
		case ProtocolHopByHop:
			return ErrMalformed // RFC 8200 §4.1: it may only follow the IPv6 header
		case ProtocolDestOptions:
			size, err = d.parseOptions(d.Payload, ProtocolDestOptions)
		case ProtocolFragment:
			size, err = d.parseFragment(d.Payload)
		case ProtocolRouting:
			size, err = d.parseRouting(d.Payload)
		default:
			return nil
		}
		if err != nil {
			return err
		}
		d.Offset += size
		d.Payload = d.Bytes[d.Offset:]
	}
}

// parseRouting reads the Routing header at the start of b. With no segments left it is of no concern to the destination (RFC 8200 §4.4).
func (d *Datagram) parseRouting(b []byte) (size int, err error) {
	ext, size, err := ParseExtensionHeader(b)
	switch {
	case err != nil:
		return 0, err
	case ext.Content[segmentsLeft] != 0:
		return 0, ErrUnsupported
	}
	d.Protocol = ext.NextHeader
	return size, nil
}

// parseOptions reads the hop-by-hop or destination options header at the start of b.
func (d *Datagram) parseOptions(b []byte, header Protocol) (size int, err error) {
	ext, size, err := ParseExtensionHeader(b)
	if err != nil {
		return 0, err
	}
	for next := 0; next < len(ext.Content); {
		var o Option
		o, next, err = NextOption(ext.Content, next)
		switch {
		case err != nil:
			return 0, err
		case o.IsPadding():
		case o.Type == optionMPL && header == ProtocolHopByHop:
			if d.HasMPL {
				return 0, ErrMalformed
			}
			if d.MPL, err = ParseMPLOption(ext.Content[o.Offset:next]); err != nil {
				return 0, err
			}
			d.HasMPL = true
		case o.Type.Action() != ActionSkip:
			return 0, ErrDiscard
		}
	}
	d.Protocol = ext.NextHeader
	return size, nil
}

// parseFragment reads the Fragment header at the start of b. Only an atomic fragment (RFC 6946) can go on: 6LoWPAN
// carries whole datagrams of 1280 bytes and a Thread node reassembles nothing larger.
func (d *Datagram) parseFragment(b []byte) (size int, err error) {
	if len(b) < fragmentHeaderSize {
		return 0, ErrTruncated
	}
	if binary.BigEndian.Uint16(b[2:])&fragmentMask != 0 {
		return 0, ErrUnsupported
	}
	d.Protocol = Protocol(b[0])
	return fragmentHeaderSize, nil
}

// Clone returns a copy of d that aliases nothing.
func (d *Datagram) Clone() Datagram {
	c := *d
	c.Bytes = slices.Clone(d.Bytes)
	c.Payload = c.Bytes[d.Offset:]
	return c
}
