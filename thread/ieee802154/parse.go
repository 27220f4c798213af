package ieee802154

import "encoding/binary"

// Frame control field (§7.2.1.1).
const (
	frameTypeMask    = 0x7
	securityEnabled  = 1 << 3
	framePending     = 1 << 4
	ackRequest       = 1 << 5
	panIDCompression = 1 << 6
	dstModeShift     = 10
	versionShift     = 12
	srcModeShift     = 14
	fieldMask        = 0x3 // of address modes and version
)

// ParseFrame parses a PSDU with its two FCS bytes, which are not checked (see
// [FCSValid]). The payload aliases psdu; if the frame is secured it is still
// as it was on the air, see [Frame.Open].
//
// Reserved bits of the frame control field are ignored (§7.2.1.1). A secured
// frame of version 2003 is refused with [ErrVersion] (§7.5.8.2.3).
func ParseFrame(psdu []byte) (Frame, error) {
	var f Frame
	if err := f.parse(psdu); err != nil {
		return Frame{}, err
	}
	return f, nil
}

// parse sets f, which must be zero, from psdu.
func (f *Frame) parse(psdu []byte) error {
	if len(psdu) < frameControlSize+seqSize+FCSSize {
		return ErrTruncated
	}
	if len(psdu) > MaxPSDU {
		return ErrTooLong
	}
	control := binary.LittleEndian.Uint16(psdu)
	f.Type = FrameType(control & frameTypeMask)
	f.Version = Version(control >> versionShift & fieldMask)
	f.FramePending = control&framePending != 0
	f.AckRequest = control&ackRequest != 0
	f.PANIDCompression = control&panIDCompression != 0
	f.Seq = psdu[frameControlSize]
	if f.Type > Command {
		return ErrFrameType
	}
	if f.Version > Version2006 {
		return ErrVersion
	}
	b := psdu[frameControlSize+seqSize : len(psdu)-FCSSize]

	b, err := f.parseAddressing(b, AddrMode(control>>dstModeShift&fieldMask), AddrMode(control>>srcModeShift))
	if err != nil {
		return err
	}
	if control&securityEnabled != 0 {
		if f.Version == Version2003 {
			return ErrVersion
		}
		if err := f.Security.parse(b); err != nil {
			return err
		}
		b = b[f.Security.Size():]
	}
	if f.Type == Command {
		if len(b) < commandIDSize {
			return ErrTruncated
		}
		f.Command = CommandID(b[0])
		b = b[commandIDSize:]
	}
	if len(b) < f.Security.Level.MICSize() {
		return ErrTruncated
	}
	f.Payload = b
	return nil
}

// parseAddressing parses the addressing fields (§7.2.1.3 to §7.2.1.6) at the
// start of b and returns what follows them.
func (f *Frame) parseAddressing(b []byte, dst, src AddrMode) ([]byte, error) {
	var err error
	if dst != AddrModeNone {
		if f.DstPAN, b, err = parsePANID(b); err != nil {
			return nil, err
		}
		if b, err = f.Dst.parse(b, dst); err != nil {
			return nil, err
		}
	}
	if src != AddrModeNone {
		f.SrcPAN = f.DstPAN
		if !f.PANIDCompression || dst == AddrModeNone {
			if f.SrcPAN, b, err = parsePANID(b); err != nil {
				return nil, err
			}
		}
		if b, err = f.Src.parse(b, src); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// parsePANID parses the PAN ID at the start of b and returns what follows it.
func parsePANID(b []byte) (PANID, []byte, error) {
	if len(b) < PANIDSize {
		return 0, nil, ErrTruncated
	}
	return PANID(binary.LittleEndian.Uint16(b)), b[PANIDSize:], nil
}

// parse sets a, which must be zero, to the address of the given mode at the
// start of b and returns what follows it.
func (a *Addr) parse(b []byte, mode AddrMode) ([]byte, error) {
	a.Mode = mode
	switch mode {
	case AddrModeShort:
		if len(b) < ShortAddrSize {
			return nil, ErrTruncated
		}
		a.Short = ShortAddr(binary.LittleEndian.Uint16(b))
		return b[ShortAddrSize:], nil
	case AddrModeExt:
		if len(b) < ExtAddrSize {
			return nil, ErrTruncated
		}
		binary.BigEndian.PutUint64(a.Ext[:], binary.LittleEndian.Uint64(b))
		return b[ExtAddrSize:], nil
	}
	return nil, ErrAddrMode
}
