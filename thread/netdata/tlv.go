package netdata

import (
	"errors"
	"iter"

	"github.com/gopymesh/pymesh/thread/tlv"
)

// Errors of this package. They are returned as they are.
var (
	// ErrTruncated says that a TLV exceeds what holds it.
	ErrTruncated = errors.New("netdata: TLV exceeds its container")
	// ErrValue says that a TLV's value has not the form of its type.
	ErrValue = errors.New("netdata: malformed TLV value")
	// ErrTooLong says that a value does not fit a TLV.
	ErrTooLong = errors.New("netdata: value too long for a TLV")
)

// Type is the type of a network data TLV (Thread 1.1 §5.18).
type Type uint8

// The types.
const (
	TypeHasRoute          Type = 0
	TypePrefix            Type = 1
	TypeBorderRouter      Type = 2
	TypeContext           Type = 3
	TypeCommissioningData Type = 4
	TypeService           Type = 5
	TypeServer            Type = 6
)

var types = tlv.Table[Type]{
	TypeHasRoute:          tlv.AnyLength("Has Route"),
	TypePrefix:            tlv.Between("Prefix", prefixHeaderSize, MaxValueLength),
	TypeBorderRouter:      tlv.AnyLength("Border Router"),
	TypeContext:           tlv.Fixed("6LoWPAN Context", contextSize),
	TypeCommissioningData: tlv.AnyLength("Commissioning Data"),
	TypeService:           tlv.Between("Service", serviceMinSize, MaxValueLength),
	TypeServer:            tlv.Between("Server", serverMinSize, MaxValueLength),
}

// Known reports whether t is a TLV type of Thread 1.1.
func (t Type) Known() bool { return types.Known(t) }

// String returns the standard's name of the type.
func (t Type) String() string { return types.Name(t) }

// checkLength reports ErrValue if value's length is not one that type t allows.
func checkLength(t Type, value []byte) error {
	if !types.ValidLength(t, len(value)) {
		return ErrValue
	}
	return nil
}

const (
	tlvHeaderSize = 2
	typeShift     = 1
	stableFlag    = 1 << 0
	maxType       = 0x7f

	// MaxValueLength is the longest value of a TLV, in bytes.
	MaxValueLength = 255
)

// TLV is an element of network data.
type TLV struct {
	Type   Type
	Stable bool
	Value  []byte // aliases the input of a parsed TLV
}

// Next splits the first TLV off b, which must not be empty. Both results alias b.
func Next(b []byte) (t TLV, rest []byte, err error) {
	if len(b) < tlvHeaderSize {
		return TLV{}, nil, ErrTruncated
	}
	end := tlvHeaderSize + int(b[1])
	if len(b) < end {
		return TLV{}, nil, ErrTruncated
	}
	return TLV{Type: Type(b[0] >> typeShift), Stable: b[0]&stableFlag != 0, Value: b[tlvHeaderSize:end:end]}, b[end:], nil
}

// All yields the TLVs of b in their order: of network data, or of the SubTLVs of a Prefix or Service. It stops at the
// end or at the first one that exceeds b; call Validate first where the difference matters.
func All(b []byte) iter.Seq[TLV] {
	return func(yield func(TLV) bool) {
		for len(b) > 0 {
			t, rest, err := Next(b)
			if err != nil || !yield(t) {
				return
			}
			b = rest
		}
	}
}

// AppendBinary appends t to b. It fails with ErrTooLong if the value has more than MaxValueLength bytes; b is returned
// unchanged then.
func (t TLV) AppendBinary(b []byte) ([]byte, error) {
	if len(t.Value) > MaxValueLength || t.Type > maxType {
		return b, ErrTooLong
	}
	first := byte(t.Type) << typeShift
	if t.Stable {
		first |= stableFlag
	}
	return append(append(b, first, byte(len(t.Value))), t.Value...), nil
}

// Validate reports whether b is well-formed network data: every TLV fits, and every one of a known type has the form of
// its type, down to the TLVs inside. Unknown types may hold anything.
func Validate(b []byte) error {
	for len(b) > 0 {
		t, rest, err := Next(b)
		if err != nil {
			return err
		}
		if err := t.validate(); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

func (t TLV) validate() error {
	switch t.Type {
	case TypePrefix:
		p, err := ParsePrefix(t.Value)
		if err != nil {
			return err
		}
		return Validate(p.SubTLVs)
	case TypeService:
		s, err := ParseService(t.Value)
		if err != nil {
			return err
		}
		return Validate(s.SubTLVs)
	case TypeHasRoute:
		_, err := ParseHasRoute(t.Value)
		return err
	case TypeBorderRouter:
		_, err := ParseBorderRouters(t.Value)
		return err
	case TypeContext:
		_, err := ParseContextTLV(t.Value)
		return err
	case TypeServer:
		_, err := ParseServer(t.Value)
		return err
	default:
		return nil
	}
}
