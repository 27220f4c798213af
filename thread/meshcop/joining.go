package meshcop

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// Fixed by Thread 1.1 §8.
const (
	// MaxPasswordSize is the size of the longest password of a joiner in bytes, MinPasswordSize that of the shortest.
	MaxPasswordSize = 32
	MinPasswordSize = 6
	// passwordLetters are those of a password: capital letters and digits but for I, O, Q and Z, which are taken for others.
	passwordLetters = "0123456789ABCDEFGHJKLMNPRSTUVWXY"

	locallyAdministered = 2
)

// ErrPassword says that a joiner cannot have some password.
var ErrPassword = errors.New("meshcop: bad password")

// CheckPassword fails with an error that is ErrPassword unless the standard allows a joiner to have this password, PSKd: 6 to 32 capital letters and
// digits, without I, O, Q and Z (Thread 1.1 §8.2.1).
func CheckPassword(password string) error {
	if n := len(password); n < MinPasswordSize || n > MaxPasswordSize {
		return fmt.Errorf("%w: %d characters, not %d to %d", ErrPassword, n, MinPasswordSize, MaxPasswordSize)
	}
	for _, r := range password {
		if !strings.ContainsRune(passwordLetters, r) {
			return fmt.Errorf("%w: it has %q in it; capital letters and digits are allowed, without I, O, Q and Z", ErrPassword, r)
		}
	}
	return nil
}

// JoinerID is the name of a joiner: its extended address while it joins, from which nobody learns its EUI-64 (Thread 1.1 §8.4.1.1).
func JoinerID(eui64 [8]byte) (id [8]byte) {
	sum := sha256.Sum256(eui64[:])
	copy(id[:], sum[:])
	id[0] |= locallyAdministered
	return id
}

// SteeringData is the Bloom filter that tells joiners whether they are meant (Thread 1.1 §8.4.4.3): up to 16 bytes, none if nobody is.
type SteeringData []byte

// MaxSteeringData is the size of the longest steering data in bytes.
const MaxSteeringData = maxSteeringDataSize

// AnySteeringData is meant for all joiners.
func AnySteeringData() SteeringData { return SteeringData{0xff} }

// Polynomials of the two CRCs that choose a joiner's bits: of CCITT and of ANSI, from the highest bit, beginning with 0.
const (
	polynomialCCITT = 0x1021
	polynomialANSI  = 0x8005
)

func crc16(b []byte, polynomial uint16) (crc uint16) {
	for _, x := range b {
		crc ^= uint16(x) << 8
		for range 8 {
			high := crc&0x8000 != 0
			if crc <<= 1; high {
				crc ^= polynomial
			}
		}
	}
	return crc
}

// bit returns the byte and the mask of a bit: the first is the lowest of the last byte.
func (s SteeringData) bit(crc uint16) (*byte, byte) {
	n := int(crc) % (8 * len(s))
	return &s[len(s)-1-n/8], 1 << (n % 8)
}

// Add lets a joiner in.
func (s SteeringData) Add(joinerID [8]byte) {
	for _, p := range []uint16{polynomialCCITT, polynomialANSI} {
		b, mask := s.bit(crc16(joinerID[:], p))
		*b |= mask
	}
}

// Contains reports whether a joiner is meant. Some that were not added are, too.
func (s SteeringData) Contains(joinerID [8]byte) bool {
	if len(s) == 0 {
		return false
	}
	for _, p := range []uint16{polynomialCCITT, polynomialANSI} {
		if b, mask := s.bit(crc16(joinerID[:], p)); *b&mask == 0 {
			return false
		}
	}
	return true
}

// Any reports whether all joiners are meant.
func (s SteeringData) Any() bool {
	return len(s) > 0 && !slices.ContainsFunc(s, func(b byte) bool { return b != 0xff })
}

// A Relayed is a datagram between a joiner, who has no place in the mesh, and the commissioner, on its way through the mesh (Thread 1.1 §8.4.4.2):
// from the joiner router RLY_RX, to it RLY_TX.
type Relayed struct {
	Port     uint16     // of the joiner
	IID      [8]byte    // of the joiner's link-local address
	Router   mle.RLOC16 // the joiner router
	Datagram []byte
	// KEK, with RLY_TX, has the joiner router entrust the joiner with the network's key, under this key. HasKEK says that it is there.
	KEK    [16]byte
	HasKEK bool
}

// ParseRelayed parses the payload of a RLY_RX or RLY_TX. The datagram aliases it.
func ParseRelayed(payload []byte) (r Relayed, err error) {
	values := [...]struct {
		t    Type
		size int
	}{{TypeJoinerUDPPort, portSize}, {TypeJoinerIID, iidSize}, {TypeJoinerRouterLocator, locatorSize}}
	var found [len(values)][]byte
	for i, v := range values {
		value, ok := tlv.Find(payload, v.t)
		if !ok || len(value) != v.size {
			return Relayed{}, ErrTLVLength
		}
		found[i] = value
	}
	r.Port, r.IID, r.Router = binary.BigEndian.Uint16(found[0]), [8]byte(found[1]), mle.RLOC16(binary.BigEndian.Uint16(found[2]))
	var ok bool
	if r.Datagram, ok = tlv.Find(payload, TypeJoinerDTLSEncapsulation); !ok || len(r.Datagram) == 0 {
		return Relayed{}, ErrTLVLength
	}
	if kek, ok := tlv.Find(payload, TypeJoinerRouterKEK); ok {
		if len(kek) != keySize {
			return Relayed{}, ErrTLVLength
		}
		r.KEK, r.HasKEK = [16]byte(kek), true
	}
	return r, nil
}

// AppendBinary appends the payload of a RLY_RX or RLY_TX to b. It never fails.
func (r Relayed) AppendBinary(b []byte) ([]byte, error) {
	b = AppendJoinerUDPPort(b, r.Port)
	b = tlv.Append(b, TypeJoinerIID, r.IID[:])
	b = append16(b, TypeJoinerRouterLocator, uint16(r.Router))
	if r.HasKEK {
		b = tlv.Append(b, TypeJoinerRouterKEK, r.KEK[:])
	}
	return tlv.Append(b, TypeJoinerDTLSEncapsulation, r.Datagram), nil
}

// An Entrustment is the payload of a JOIN_ENT: what a joiner needs to attach to the network (Thread 1.1 §8.4.4.3). PAN ID and channel it has
// from the air.
type Entrustment struct {
	Key             [16]byte
	MeshLocalPrefix [8]byte
	ExtendedPANID   [8]byte
	NetworkName     string
	KeySequence     uint32
	// Dataset is the rest, TLVs of the active dataset: timestamp, channel mask, PSKc, security policy. It aliases the payload.
	Dataset []byte
}

// ParseEntrustment parses the payload of a JOIN_ENT.
func ParseEntrustment(payload []byte) (e Entrustment, err error) {
	need := func(t Type) []byte {
		value, ok := tlv.Find(payload, t)
		if !ok || !t.ValidLength(len(value)) {
			err = ErrTLVLength
			return make([]byte, keySize)
		}
		return value
	}
	e.Key = [16]byte(need(TypeNetworkMasterKey))
	e.MeshLocalPrefix = [8]byte(need(TypeMeshLocalPrefix))
	e.ExtendedPANID = [8]byte(need(TypeExtendedPANID))
	e.NetworkName = string(need(TypeNetworkName))
	e.KeySequence = binary.BigEndian.Uint32(need(TypeNetworkKeySequence))
	need(TypeActiveTimestamp)
	if err != nil {
		return Entrustment{}, err
	}
	for t, value := range tlv.All[Type](payload) {
		switch t {
		case TypeActiveTimestamp, TypeChannelMask, TypePSKc, TypeSecurityPolicy:
			e.Dataset = tlv.Append(e.Dataset, t, value)
		}
	}
	return e, nil
}

// AppendBinary appends the payload of a JOIN_ENT to b. It never fails.
func (e Entrustment) AppendBinary(b []byte) ([]byte, error) {
	b = tlv.Append(b, TypeNetworkMasterKey, e.Key[:])
	b = tlv.Append(b, TypeMeshLocalPrefix, e.MeshLocalPrefix[:])
	b = AppendNetworkName(AppendExtendedPANID(b, e.ExtendedPANID), e.NetworkName)
	b = append(b, e.Dataset...)
	b = tlv.AppendHeader(b, TypeNetworkKeySequence, keySequenceSize)
	return binary.BigEndian.AppendUint32(b, e.KeySequence), nil
}

// Vendor says who has made a joiner, and what it is: JOIN_FIN tells the commissioner (Thread 1.1 §8.10.7). Texts that are too long are cut.
type Vendor struct {
	Name, Model, Version string
	Data                 string
	// ProvisioningURL is where the commissioner must be from to be the right one for this joiner; empty for any.
	ProvisioningURL string
}

// Fields of a Vendor Stack Version TLV: 24 bits of an OUI, 4 of a build, 16 of a revision, 4 and 8 of the version.
var stackVersion = []byte{0, 0, 0, 0, 0, 0x10}

// AppendJoinerFinalize appends the payload of a JOIN_FIN request.
func AppendJoinerFinalize(b []byte, v Vendor) []byte {
	cut := func(s string, n int) []byte { return []byte(s[:min(len(s), n)]) }
	b = AppendState(b, StateAccept)
	b = tlv.Append(b, TypeVendorName, cut(v.Name, maxVendorTextSize))
	b = tlv.Append(b, TypeVendorModel, cut(v.Model, maxVendorTextSize))
	b = tlv.Append(b, TypeVendorSoftwareVersion, cut(v.Version, maxSoftwareVersionSize))
	b = tlv.Append(b, TypeVendorStackVersion, stackVersion)
	if v.Data != "" {
		b = tlv.Append(b, TypeVendorData, cut(v.Data, maxTextSize))
	}
	if v.ProvisioningURL != "" {
		b = tlv.Append(b, TypeProvisioningURL, cut(v.ProvisioningURL, maxTextSize))
	}
	return b
}

// ParseJoinerFinalize parses the payload of a JOIN_FIN request, of which all but the state may be missing.
func ParseJoinerFinalize(payload []byte) (State, Vendor, error) {
	value, ok := tlv.Find(payload, TypeState)
	if !ok {
		return 0, Vendor{}, ErrTLVLength
	}
	state, err := ParseState(value)
	if err == nil {
		err = tlv.Validate(payload)
	}
	if err != nil {
		return 0, Vendor{}, err
	}
	text := func(t Type) string {
		value, ok := tlv.Find(payload, t)
		if ok && !t.ValidLength(len(value)) {
			err = ErrTLVLength
		}
		return string(value)
	}
	v := Vendor{
		Name: text(TypeVendorName), Model: text(TypeVendorModel), Version: text(TypeVendorSoftwareVersion), Data: text(TypeVendorData),
		ProvisioningURL: text(TypeProvisioningURL),
	}
	return state, v, err
}
