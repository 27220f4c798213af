package mle

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"

	"github.com/gopymesh/pymesh/thread/tlv"
)

// Fields of a Route64 entry: 2 bits of quality out, 2 of quality in, 4 of cost.
const (
	linkQualityOutShift = 6
	linkQualityInShift  = 4
	linkQualityMask     = 0x3
	routeCostMask       = 0xf
)

// Route is one router's entry in a Route64 TLV, as the sender sees it.
type Route struct {
	LinkQualityOut uint8 // of frames from the sender to the router: 0 (no link) to 3
	LinkQualityIn  uint8 // of frames from the router to the sender: 0 to 3
	Cost           uint8 // of the sender's route to the router: 1 to 15; 0 for none, and 1 for the sender itself
}

// Route64 is the routing table that a router advertises.
type Route64 struct {
	IDSequence uint8       // the leader's ID sequence number
	Routers    RouterIDSet // the assigned Router IDs
	// Routes holds a Route for every member of Routers.
	Routes [NumRouterIDs]Route
}

// Reached returns the number of routers that the sender has a way to, itself among them.
func (r *Route64) Reached() int {
	n := 0
	for id := range r.Routers.All() {
		if r.Routes[id].Cost > 0 {
			n++
		}
	}
	return n
}

// ParseRoute64 parses a Route64 TLV. Bytes after the last router's entry are ignored.
func ParseRoute64(value []byte) (Route64, error) {
	if checkLength(TLVRoute64, value) != nil {
		return Route64{}, ErrTLVLength
	}
	r := Route64{IDSequence: value[0], Routers: RouterIDSet(binary.BigEndian.Uint64(value[1:]))}
	if r.Routers.Contains(InvalidRouterID) {
		return Route64{}, ErrTLVValue
	}
	entries := value[route64HeaderSize:]
	if len(entries) < r.Routers.Len() {
		return Route64{}, ErrTLVLength
	}
	i := 0
	for id := range r.Routers.All() {
		e := entries[i]
		r.Routes[id] = Route{
			LinkQualityOut: e >> linkQualityOutShift,
			LinkQualityIn:  e >> linkQualityInShift & linkQualityMask,
			Cost:           e & routeCostMask,
		}
		i++
	}
	return r, nil
}

// AppendRoute64 appends a Route64 TLV. Qualities above 3 and costs above 15 are cut to their fields.
func AppendRoute64(b []byte, r Route64) []byte {
	routers := r.Routers.Remove(InvalidRouterID)
	b = append(tlv.AppendHeader(b, TLVRoute64, route64HeaderSize+routers.Len()), r.IDSequence)
	b = binary.BigEndian.AppendUint64(b, uint64(routers))
	for id := range routers.All() {
		e := r.Routes[id]
		b = append(b, e.LinkQualityOut<<linkQualityOutShift|
			e.LinkQualityIn&linkQualityMask<<linkQualityInShift|
			e.Cost&routeCostMask)
	}
	return b
}

// ParentPriority is how much a router wants to be a parent.
type ParentPriority int8

// The parent priorities. On the air they are 2-bit two's complement numbers; -2 is reserved.
const (
	ParentPriorityLow    ParentPriority = -1
	ParentPriorityMedium ParentPriority = 0
	ParentPriorityHigh   ParentPriority = 1
)

const parentPriorityShift = 6

// Buffering for sleepy end devices that a parent has when its Connectivity TLV does not say.
const (
	DefaultSEDBufferSize    = 1280 // bytes
	DefaultSEDDatagramCount = 1
)

// Connectivity describes a router as a parent.
type Connectivity struct {
	ParentPriority ParentPriority
	LinkQuality3   uint8 // number of neighboring routers with link quality 3
	LinkQuality2   uint8
	LinkQuality1   uint8
	LeaderCost     uint8 // route cost to the leader
	IDSequence     uint8 // the latest ID sequence number it knows
	ActiveRouters  uint8 // number of routers in the partition

	// SEDBuffers says that the TLV holds the two fields below. Without it they have their defaults.
	SEDBuffers       bool
	SEDBufferSize    uint16 // bytes guaranteed to each sleepy child
	SEDDatagramCount uint8  // datagrams guaranteed to each sleepy child
}

// ParseConnectivity parses a Connectivity TLV, with or without the fields on sleepy end devices.
func ParseConnectivity(value []byte) (Connectivity, error) {
	if len(value) != connectivitySize && len(value) < connectivitySEDSize {
		return Connectivity{}, ErrTLVLength
	}
	c := Connectivity{
		ParentPriority:   ParentPriority(int8(value[0]) >> parentPriorityShift),
		LinkQuality3:     value[1],
		LinkQuality2:     value[2],
		LinkQuality1:     value[3],
		LeaderCost:       value[4],
		IDSequence:       value[5],
		ActiveRouters:    value[6],
		SEDBufferSize:    DefaultSEDBufferSize,
		SEDDatagramCount: DefaultSEDDatagramCount,
	}
	if len(value) >= connectivitySEDSize {
		c.SEDBuffers = true
		c.SEDBufferSize = binary.BigEndian.Uint16(value[7:])
		c.SEDDatagramCount = value[9]
	}
	return c, nil
}

// AppendConnectivity appends a Connectivity TLV: 10 bytes of value with SEDBuffers, 7 without.
func AppendConnectivity(b []byte, c Connectivity) []byte {
	size := connectivitySize
	if c.SEDBuffers {
		size = connectivitySEDSize
	}
	b = append(tlv.AppendHeader(b, TLVConnectivity, size), uint8(c.ParentPriority)<<parentPriorityShift,
		c.LinkQuality3, c.LinkQuality2, c.LinkQuality1, c.LeaderCost, c.IDSequence, c.ActiveRouters)
	if c.SEDBuffers {
		b = append(binary.BigEndian.AppendUint16(b, c.SEDBufferSize), c.SEDDatagramCount)
	}
	return b
}

// TLVRequest lists the TLV types that a node wants in the answer, one a byte.
type TLVRequest []byte

// ParseTLVRequest parses a TLV Request TLV. The result aliases value.
func ParseTLVRequest(value []byte) (TLVRequest, error) {
	if checkLength(TLVTLVRequest, value) != nil {
		return nil, ErrTLVLength
	}
	return TLVRequest(value), nil
}

// Contains reports whether t is wanted.
func (r TLVRequest) Contains(t TLVType) bool { return slices.Contains(r, byte(t)) }

// All yields the wanted types in the order asked for.
func (r TLVRequest) All() iter.Seq[TLVType] {
	return func(yield func(TLVType) bool) {
		for _, v := range r {
			if !yield(TLVType(v)) {
				return
			}
		}
	}
}

// AppendTLVRequest appends a TLV Request TLV.
func AppendTLVRequest(b []byte, types ...TLVType) []byte {
	b = tlv.AppendHeader(b, TLVTLVRequest, len(types))
	for _, t := range types {
		b = append(b, byte(t))
	}
	return b
}

// Control byte of an Address Registration entry.
const (
	entryCompressed    = 1 << 7
	entryContextIDMask = 0x0f
)

// AddressEntry is an IPv6 address that a child registers with its parent: a full address, or an interface identifier
// under the prefix of a 6LoWPAN context.
type AddressEntry struct {
	// Addr is the full address; the zero Addr in a compressed entry.
	Addr netip.Addr
	// ContextID (0 to 15) and IID make a compressed entry.
	ContextID uint8
	IID       [8]byte
}

// Compressed reports whether e is an interface identifier under a context.
func (e AddressEntry) Compressed() bool { return !e.Addr.IsValid() }

// AddressRegistration holds the encoded entries of an Address Registration TLV.
type AddressRegistration []byte

// ParseAddressRegistration parses an Address Registration TLV. The result aliases value.
func ParseAddressRegistration(value []byte) (AddressRegistration, error) {
	for b := value; len(b) > 0; b = b[addressEntrySize(b[0]):] {
		if len(b) < addressEntrySize(b[0]) {
			return nil, ErrTLVLength
		}
	}
	return AddressRegistration(value), nil
}

func addressEntrySize(control byte) int {
	if control&entryCompressed != 0 {
		return compressedEntrySize
	}
	return fullAddressEntrySize
}

// All yields the entries in their order.
func (r AddressRegistration) All() iter.Seq[AddressEntry] {
	return func(yield func(AddressEntry) bool) {
		for b := r; len(b) > 0; b = b[addressEntrySize(b[0]):] {
			if len(b) < addressEntrySize(b[0]) {
				return
			}
			var e AddressEntry
			if b[0]&entryCompressed != 0 {
				e.ContextID = b[0] & entryContextIDMask
				e.IID = [8]byte(b[1:])
			} else {
				e.Addr = netip.AddrFrom16([16]byte(b[1:]))
			}
			if !yield(e) {
				return
			}
		}
	}
}

// AppendAddressRegistration appends an Address Registration TLV.
func AppendAddressRegistration(b []byte, entries ...AddressEntry) []byte {
	size := 0
	for _, e := range entries {
		if e.Compressed() {
			size += compressedEntrySize
		} else {
			size += fullAddressEntrySize
		}
	}
	b = tlv.AppendHeader(b, TLVAddressRegistration, size)
	for _, e := range entries {
		if e.Compressed() {
			b = append(append(b, entryCompressed|e.ContextID&entryContextIDMask), e.IID[:]...)
		} else {
			addr := e.Addr.As16()
			b = append(append(b, 0), addr[:]...)
		}
	}
	return b
}
