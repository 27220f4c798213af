package ieee802154

import (
	"encoding/binary"
	"fmt"
)

// SecurityLevel tells how a frame is protected (§7.6.2.2.1, table 95).
type SecurityLevel uint8

// Security levels. Thread uses SecurityENCMIC32 for everything it secures.
const (
	SecurityNone      SecurityLevel = 0
	SecurityMIC32     SecurityLevel = 1
	SecurityMIC64     SecurityLevel = 2
	SecurityMIC128    SecurityLevel = 3
	SecurityENC       SecurityLevel = 4
	SecurityENCMIC32  SecurityLevel = 5
	SecurityENCMIC64  SecurityLevel = 6
	SecurityENCMIC128 SecurityLevel = 7
)

// String returns the standard's name, such as "ENC-MIC-32".
func (l SecurityLevel) String() string {
	switch l {
	case SecurityNone:
		return "none"
	case SecurityMIC32:
		return "MIC-32"
	case SecurityMIC64:
		return "MIC-64"
	case SecurityMIC128:
		return "MIC-128"
	case SecurityENC:
		return "ENC"
	case SecurityENCMIC32:
		return "ENC-MIC-32"
	case SecurityENCMIC64:
		return "ENC-MIC-64"
	case SecurityENCMIC128:
		return "ENC-MIC-128"
	}
	return fmt.Sprintf("level %d", uint8(l))
}

// Encrypts reports whether the level hides the payload.
func (l SecurityLevel) Encrypts() bool { return l&SecurityENC != 0 }

// MICSize returns the size of the message integrity code in bytes: 0, 4, 8 or 16.
func (l SecurityLevel) MICSize() int {
	return micSizes[l&micMask]
}

// The two low bits of the level give the size of the MIC.
const micMask = 0x3

var micSizes = [micMask + 1]int{0, 4, 8, 16}

// KeyIDMode tells how the key is named (§7.6.2.2.2, table 96).
type KeyIDMode uint8

// Key identifier modes. In Thread, MAC frames use KeyIDModeIndex, MLE messages
// KeyIDModeSource4 with the key sequence as source, and the frame that entrusts a
// joiner with the network key KeyIDModeImplicit (Thread 1.1 §7.2.1).
const (
	KeyIDModeImplicit KeyIDMode = 0 // no key identifier
	KeyIDModeIndex    KeyIDMode = 1 // key index
	KeyIDModeSource4  KeyIDMode = 2 // key source of 4 bytes and key index
	KeyIDModeSource8  KeyIDMode = 3 // key source of 8 bytes and key index
)

// sourceSize returns the size of the key source in bytes.
func (m KeyIDMode) sourceSize() int {
	switch m {
	case KeyIDModeSource4:
		return 4
	case KeyIDModeSource8:
		return 8
	}
	return 0
}

// keyIDSize returns the size of key source and key index in bytes.
func (m KeyIDMode) keyIDSize() int {
	if m == KeyIDModeImplicit {
		return 0
	}
	return m.sourceSize() + keyIndexSize
}

// Sizes in the auxiliary security header in bytes.
const (
	securityControlSize = 1
	frameCounterSize    = 4
	keyIndexSize        = 1

	// MaxSecurityHeaderSize is the size of the longest auxiliary security header.
	MaxSecurityHeaderSize = securityControlSize + frameCounterSize + 8 + keyIndexSize
)

// Security control field (§7.6.2.2).
const (
	securityLevelMask = 0x07
	keyIDModeShift    = 3
	keyIDModeMask     = 0x03
)

// A SecurityHeader is an auxiliary security header (§7.6.2). It stands in MAC
// frames and in MLE messages.
type SecurityHeader struct {
	Level        SecurityLevel
	KeyIDMode    KeyIDMode
	FrameCounter uint32

	// KeySource is in the order of the bytes on the air; the first 4 or 8 are
	// used, as KeyIDMode tells.
	KeySource [8]byte

	// KeyIndex is absent with KeyIDModeImplicit.
	KeyIndex uint8
}

// Size returns the size of the header in bytes.
func (h SecurityHeader) Size() int {
	return securityControlSize + frameCounterSize + h.KeyIDMode.keyIDSize()
}

// ParseSecurityHeader parses the auxiliary security header at the start of b;
// what follows it begins at b[h.Size():]. It fails with [ErrTruncated], or with
// [ErrSecurity] if the level is SecurityNone: a header without security is not
// sent (§7.5.8.2.1).
func ParseSecurityHeader(b []byte) (SecurityHeader, error) {
	var h SecurityHeader
	if err := h.parse(b); err != nil {
		return SecurityHeader{}, err
	}
	return h, nil
}

// parse sets h, which must be zero, from the start of b.
func (h *SecurityHeader) parse(b []byte) error {
	if len(b) < securityControlSize+frameCounterSize {
		return ErrTruncated
	}
	h.Level = SecurityLevel(b[0] & securityLevelMask)
	if h.Level == SecurityNone {
		return ErrSecurity
	}
	h.KeyIDMode = KeyIDMode(b[0] >> keyIDModeShift & keyIDModeMask)
	h.FrameCounter = binary.LittleEndian.Uint32(b[securityControlSize:])
	if h.KeyIDMode == KeyIDModeImplicit {
		return nil
	}
	b = b[securityControlSize+frameCounterSize:]
	n := h.KeyIDMode.sourceSize()
	if len(b) < n+keyIndexSize {
		return ErrTruncated
	}
	copy(h.KeySource[:], b[:n])
	h.KeyIndex = b[n]
	return nil
}

// AppendBinary appends the header to b. It fails with [ErrSecurity] if the
// level is SecurityNone, or if level or key identifier mode do not exist.
func (h SecurityHeader) AppendBinary(b []byte) ([]byte, error) {
	if !h.valid() {
		return b, ErrSecurity
	}
	return h.append(b), nil
}

// valid reports whether the header can be sent.
func (h *SecurityHeader) valid() bool {
	return h.Level != SecurityNone && h.Level <= SecurityENCMIC128 && h.KeyIDMode <= KeyIDModeSource8
}

// append appends the header, which is valid, to b.
func (h *SecurityHeader) append(b []byte) []byte {
	b = append(b, byte(h.Level)|byte(h.KeyIDMode)<<keyIDModeShift)
	b = binary.LittleEndian.AppendUint32(b, h.FrameCounter)
	if h.KeyIDMode != KeyIDModeImplicit {
		b = append(b, h.KeySource[:h.KeyIDMode.sourceSize()]...)
		b = append(b, h.KeyIndex)
	}
	return b
}

// Nonce returns the CCM* nonce of a frame: the extended address of the sender,
// the frame counter and the security level, all big-endian (§7.6.3.2).
func Nonce(src ExtAddr, counter uint32, level SecurityLevel) [NonceSize]byte {
	var n [NonceSize]byte
	copy(n[:], src[:])
	binary.BigEndian.PutUint32(n[ExtAddrSize:], counter)
	n[NonceSize-1] = byte(level)
	return n
}
