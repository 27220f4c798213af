package ieee802154

// What the security levels protect of a frame (§7.6.3.4):
//
//	level      authenticated          encrypted
//	MIC-…      headers and payload    nothing
//	ENC        nothing                the private payload
//	ENC-MIC-…  headers and payload    the private payload
//
// The private payload is what follows the open payload: in a beacon the
// superframe specification, GTS and pending address fields are open, in a
// command frame the command identifier is (§7.2.2.1, §7.2.2.4).

// AppendSealed appends the secured frame to b: the header, f.Payload encrypted
// if the level asks for it, the MIC and a valid FCS. ccm holds the key that
// f.Security names and src is the extended address of the sender, whatever
// address f.Src carries.
//
// f.Payload may already lie where it is to be, f.HeaderSize() bytes behind b;
// otherwise it must not overlap b's spare capacity. Errors are those of
// [Frame.AppendBinary] and [ErrNotSecured]; b is returned unchanged then.
func (f *Frame) AppendSealed(b []byte, ccm *CCM, src ExtAddr) ([]byte, error) {
	level := f.Security.Level
	if level == SecurityNone {
		return b, ErrNotSecured
	}
	if err := f.check(len(f.Payload) + level.MICSize()); err != nil {
		return b, err
	}
	open, err := f.openSize(f.Payload)
	if err != nil {
		return b, err
	}
	start := len(b)
	b = f.appendHeader(b)
	b = append(b, f.Payload[:open]...)
	nonce := Nonce(src, f.Security.FrameCounter, level)
	b = ccm.Seal(b, &nonce, b[start:], f.Payload[open:], level.MICSize())
	return appendFCS(b, start), nil
}

// Open authenticates and decrypts the payload of a secured frame and appends
// the plaintext to dst. f is what [ParseFrame] returned for psdu, ccm holds the
// key that f.Security names, and src is the extended address of the sender,
// whatever address f.Src carries. At level SecurityENC nothing is
// authenticated.
//
// To open in place pass f.Payload[:0] as dst; otherwise dst's spare capacity
// must not overlap psdu. If Open fails with [ErrAuth] dst is returned unchanged
// and what was decrypted behind it is cleared.
func (f *Frame) Open(dst, psdu []byte, ccm *CCM, src ExtAddr) ([]byte, error) {
	level := f.Security.Level
	if level == SecurityNone {
		return dst, ErrNotSecured
	}
	header, end := f.HeaderSize(), len(psdu)-FCSSize
	if end-header < level.MICSize() {
		return dst, ErrTruncated
	}
	payload := psdu[header:end]
	open, err := f.openSize(payload[:len(payload)-level.MICSize()])
	if err != nil {
		return dst, err
	}
	nonce := Nonce(src, f.Security.FrameCounter, level)
	plain, err := ccm.Open(append(dst, payload[:open]...), &nonce, psdu[:header+open], payload[open:], level.MICSize())
	if err != nil {
		return dst, err
	}
	return plain, nil
}

// openSize returns how many bytes of the plaintext payload are not encrypted.
func (f *Frame) openSize(payload []byte) (int, error) {
	switch {
	case !f.Security.Level.Encrypts():
		return len(payload), nil
	case f.Type == Beacon:
		return beaconHeaderSize(payload)
	}
	return 0, nil
}
