package ieee802154

import "encoding/binary"

// AppendBinary appends the frame to b, its payload as it is, and a valid FCS.
// A secured frame from ParseFrame is written as it was received; to secure a
// frame use [Frame.AppendSealed]. If it fails b is returned unchanged.
func (f *Frame) AppendBinary(b []byte) ([]byte, error) {
	if err := f.check(len(f.Payload)); err != nil {
		return b, err
	}
	start := len(b)
	b = f.appendHeader(b)
	b = append(b, f.Payload...)
	return appendFCS(b, start), nil
}

// check reports why f cannot be written with a payload of n bytes, MIC included.
func (f *Frame) check(n int) error {
	switch {
	case f.Type > Command:
		return ErrFrameType
	case f.Version > Version2006:
		return ErrVersion
	case !f.Dst.Mode.valid() || !f.Src.Mode.valid():
		return ErrAddrMode
	case f.Security.Level != SecurityNone && f.Version == Version2003:
		return ErrVersion
	case f.Security.Level != SecurityNone && !f.Security.valid():
		return ErrSecurity
	case f.HeaderSize()+n+FCSSize > MaxPSDU:
		return ErrTooLong
	}
	return nil
}

// appendHeader appends everything in front of the payload.
func (f *Frame) appendHeader(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, f.control())
	b = append(b, f.Seq)
	if f.Dst.Mode != AddrModeNone {
		b = binary.LittleEndian.AppendUint16(b, uint16(f.DstPAN))
		b = f.Dst.append(b)
	}
	if f.Src.Mode != AddrModeNone {
		if !f.elidesSrcPAN() {
			b = binary.LittleEndian.AppendUint16(b, uint16(f.SrcPAN))
		}
		b = f.Src.append(b)
	}
	if f.Security.Level != SecurityNone {
		b = f.Security.append(b)
	}
	if f.Type == Command {
		b = append(b, byte(f.Command))
	}
	return b
}

// control returns the frame control field.
func (f *Frame) control() uint16 {
	c := uint16(f.Type) |
		uint16(f.Dst.Mode)<<dstModeShift |
		uint16(f.Version)<<versionShift |
		uint16(f.Src.Mode)<<srcModeShift
	if f.Security.Level != SecurityNone {
		c |= securityEnabled
	}
	if f.FramePending {
		c |= framePending
	}
	if f.AckRequest {
		c |= ackRequest
	}
	if f.PANIDCompression {
		c |= panIDCompression
	}
	return c
}

// append appends the address to b.
func (a *Addr) append(b []byte) []byte {
	if a.Mode == AddrModeShort {
		return binary.LittleEndian.AppendUint16(b, uint16(a.Short))
	}
	return binary.LittleEndian.AppendUint64(b, binary.BigEndian.Uint64(a.Ext[:]))
}

// AppendAck appends the acknowledgment (§7.2.2.3) of the frame with sequence
// number seq; pending is its frame pending bit, which tells a node that polled
// to stay awake.
func AppendAck(b []byte, seq uint8, pending bool) []byte {
	start := len(b)
	control := uint16(Ack)
	if pending {
		control |= framePending
	}
	b = binary.LittleEndian.AppendUint16(b, control)
	b = append(b, seq)
	return appendFCS(b, start)
}
