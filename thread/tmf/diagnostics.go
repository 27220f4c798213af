package tmf

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math/bits"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// Diagnostics holds the TLVs of a network diagnostic message (Thread 1.1 §10.11). Its getters return ErrAbsent if it does not hold
// the TLV, and ErrTLVLength or ErrTLVValue, or those of package mle for what is defined there, if it is malformed.
type Diagnostics []byte

// ParseDiagnostics checks that b is a whole number of TLVs, but not what they hold: each getter does that. The result aliases b.
func ParseDiagnostics(b []byte) (Diagnostics, error) {
	if err := tlv.Validate(b); err != nil {
		return nil, err
	}
	return Diagnostics(b), nil
}

// All yields the TLVs in their order, known or not. The values alias d.
func (d Diagnostics) All() iter.Seq2[DiagnosticType, []byte] { return tlv.All[DiagnosticType](d) }

// Has reports whether d holds a TLV of type t.
func (d Diagnostics) Has(t DiagnosticType) bool {
	_, ok := tlv.Find(d, t)
	return ok
}

// getDiagnostic finds a TLV of a length that its type allows, and parses it.
func getDiagnostic[T any](d Diagnostics, t DiagnosticType, parse func([]byte) (T, error)) (v T, _ error) {
	value, ok := tlv.Find(d, t)
	if !ok {
		return v, ErrAbsent
	}
	if !t.ValidLength(len(value)) {
		return v, ErrTLVLength
	}
	return parse(value)
}

func parseBytes(value []byte) ([]byte, error) { return value, nil }

// ExtendedMACAddress returns the node's extended address.
func (d Diagnostics) ExtendedMACAddress() (ieee802154.ExtAddr, error) {
	return getDiagnostic(d, DiagnosticExtendedMACAddress, func(v []byte) (ieee802154.ExtAddr, error) { return ieee802154.ExtAddr(v), nil })
}

// Address16 returns the node's RLOC16.
func (d Diagnostics) Address16() (mle.RLOC16, error) {
	return getDiagnostic(d, DiagnosticAddress16, mle.ParseAddress16)
}

// Mode returns the node's mode.
func (d Diagnostics) Mode() (mle.Mode, error) { return getDiagnostic(d, DiagnosticMode, mle.ParseMode) }

// Timeout returns how often a sleepy end device polls at least, in whole seconds.
func (d Diagnostics) Timeout() (time.Duration, error) {
	return getDiagnostic(d, DiagnosticTimeout, mle.ParseTimeout)
}

// Connectivity describes the node as a parent.
func (d Diagnostics) Connectivity() (mle.Connectivity, error) {
	return getDiagnostic(d, DiagnosticConnectivity, mle.ParseConnectivity)
}

// Route64 returns the node's routing table.
func (d Diagnostics) Route64() (mle.Route64, error) {
	return getDiagnostic(d, DiagnosticRoute64, mle.ParseRoute64)
}

// LeaderData describes the node's partition.
func (d Diagnostics) LeaderData() (mle.LeaderData, error) {
	return getDiagnostic(d, DiagnosticLeaderData, mle.ParseLeaderData)
}

// NetworkData returns the network data that the node has, for package netdata. It aliases d.
func (d Diagnostics) NetworkData() ([]byte, error) {
	return getDiagnostic(d, DiagnosticNetworkData, parseBytes)
}

// IPv6Addresses returns the node's unicast addresses.
func (d Diagnostics) IPv6Addresses() ([]netip.Addr, error) {
	return getDiagnostic(d, DiagnosticIPv6AddressList, func(v []byte) (list []netip.Addr, _ error) {
		if len(v)%addrSize != 0 {
			return nil, ErrTLVLength
		}
		for ; len(v) > 0; v = v[addrSize:] {
			list = append(list, netip.AddrFrom16([addrSize]byte(v)))
		}
		return list, nil
	})
}

// MACCounters are the counters of a MAC, those of RFC 2863 by their names. They wrap.
type MACCounters struct {
	InUnknownProtocols, InErrors, OutErrors uint32
	InUnicast, InBroadcast, InDiscards      uint32
	OutUnicast, OutBroadcast, OutDiscards   uint32
}

func (c *MACCounters) fields() [macCountersSize / 4]*uint32 {
	return [...]*uint32{
		&c.InUnknownProtocols, &c.InErrors, &c.OutErrors, &c.InUnicast, &c.InBroadcast, &c.InDiscards,
		&c.OutUnicast, &c.OutBroadcast, &c.OutDiscards,
	}
}

// MACCounters returns the counters of the node's MAC.
func (d Diagnostics) MACCounters() (MACCounters, error) {
	return getDiagnostic(d, DiagnosticMACCounters, func(v []byte) (c MACCounters, _ error) {
		for i, field := range c.fields() {
			*field = binary.BigEndian.Uint32(v[4*i:])
		}
		return c, nil
	})
}

// BatteryLevel returns the charge of the node's battery in percent.
func (d Diagnostics) BatteryLevel() (uint8, error) {
	return getDiagnostic(d, DiagnosticBatteryLevel, func(v []byte) (uint8, error) { return v[0], nil })
}

// SupplyVoltage returns the voltage of the node's supply in millivolts.
func (d Diagnostics) SupplyVoltage() (uint16, error) {
	return getDiagnostic(d, DiagnosticSupplyVoltage, func(v []byte) (uint16, error) { return binary.BigEndian.Uint16(v), nil })
}

// A ChildEntry is a child in its parent's Child Table TLV.
type ChildEntry struct {
	// Timeout is the silence after which the parent drops the child, rounded up to a power of two of seconds.
	Timeout time.Duration
	// LinkQualityIn is that of the child's frames, 0 to 3; 0 from nodes of Thread 1.1, which do not tell.
	LinkQualityIn uint8
	ID            uint16 // 1 to 511
	Mode          mle.Mode
}

// Fields of a child table entry: 5 bits of timeout, 2 of quality, 9 of child ID, and the mode.
const (
	childEntrySize      = 3
	childTimeoutShift   = 11
	childQualityShift   = 9
	childQualityMask    = 0x3
	childIDMask         = 0x1ff
	childTimeoutUnit    = 4 // the exponent 4 stands for one second
	maxChildTimeoutBits = 0x1f
)

// ChildTable returns the node's children.
func (d Diagnostics) ChildTable() ([]ChildEntry, error) {
	return getDiagnostic(d, DiagnosticChildTable, func(v []byte) (list []ChildEntry, _ error) {
		if len(v)%childEntrySize != 0 {
			return nil, ErrTLVLength
		}
		for ; len(v) > 0; v = v[childEntrySize:] {
			bits := binary.BigEndian.Uint16(v)
			list = append(list, ChildEntry{
				Timeout:       time.Second << (bits >> childTimeoutShift) >> childTimeoutUnit,
				LinkQualityIn: uint8(bits >> childQualityShift & childQualityMask),
				ID:            bits & childIDMask, Mode: mle.Mode(v[2]),
			})
		}
		return list, nil
	})
}

// ChannelPages returns the channel pages that the node's radio has. It aliases d.
func (d Diagnostics) ChannelPages() ([]byte, error) {
	return getDiagnostic(d, DiagnosticChannelPages, parseBytes)
}

// MaxChildTimeout returns the longest timeout of the node's children, in whole seconds.
func (d Diagnostics) MaxChildTimeout() (time.Duration, error) {
	return getDiagnostic(d, DiagnosticMaxChildTimeout, mle.ParseTimeout)
}

// TypeList returns the types that a request is about, one a byte. It aliases d.
func (d Diagnostics) TypeList() (TypeList, error) {
	return getDiagnostic(d, DiagnosticTypeList, func(v []byte) (TypeList, error) { return TypeList(v), nil })
}

// TypeList lists diagnostic types, one a byte.
type TypeList []byte

// All yields the types in the order asked for, each of them once.
func (l TypeList) All() iter.Seq[DiagnosticType] {
	return func(yield func(DiagnosticType) bool) {
		var seen [256 / 8]byte
		for _, t := range l {
			bit := byte(1) << (t % 8)
			if seen[t/8]&bit != 0 {
				continue
			}
			seen[t/8] |= bit
			if !yield(DiagnosticType(t)) {
				return
			}
		}
	}
}

// The Append functions below append one diagnostic TLV each. They cannot fail.

// AppendTypeList appends a Type List TLV.
func AppendTypeList(b []byte, types ...DiagnosticType) []byte {
	b = tlv.AppendHeader(b, DiagnosticTypeList, len(types))
	for _, t := range types {
		b = append(b, byte(t))
	}
	return b
}

// AppendDiagnostic appends a TLV whose value is given as bytes: Network Data, Channel Pages.
func AppendDiagnostic(b []byte, t DiagnosticType, value []byte) []byte {
	return tlv.Append(b, t, value)
}

// AppendDiagnosticAddress appends an Extended MAC Address TLV.
func AppendDiagnosticAddress(b []byte, a ieee802154.ExtAddr) []byte {
	return tlv.Append(b, DiagnosticExtendedMACAddress, a[:])
}

// AppendDiagnosticMLE appends the TLV that package mle's Append function f makes of v, under the diagnostic type t.
func AppendDiagnosticMLE[T any](b []byte, t DiagnosticType, f func([]byte, T) []byte, v T) []byte {
	start := len(b)
	b = f(b, v)
	b[start] = byte(t)
	return b
}

// AppendIPv6Addresses appends an IPv6 Address List TLV.
func AppendIPv6Addresses(b []byte, addrs []netip.Addr) []byte {
	b = tlv.AppendHeader(b, DiagnosticIPv6AddressList, addrSize*len(addrs))
	for _, a := range addrs {
		a16 := a.As16()
		b = append(b, a16[:]...)
	}
	return b
}

// AppendMACCounters appends a MAC Counters TLV.
func AppendMACCounters(b []byte, c MACCounters) []byte {
	b = tlv.AppendHeader(b, DiagnosticMACCounters, macCountersSize)
	for _, field := range c.fields() {
		b = binary.BigEndian.AppendUint32(b, *field)
	}
	return b
}

// AppendChildTable appends a Child Table TLV. Timeouts are rounded up to powers of two of seconds.
func AppendChildTable(b []byte, children []ChildEntry) []byte {
	b = tlv.AppendHeader(b, DiagnosticChildTable, childEntrySize*len(children))
	for _, c := range children {
		seconds := uint64(max(c.Timeout+time.Second-1, time.Second) / time.Second)
		exponent := min(childTimeoutUnit+bits.Len64(seconds-1), maxChildTimeoutBits)
		entry := uint16(exponent)<<childTimeoutShift | uint16(c.LinkQualityIn&childQualityMask)<<childQualityShift | c.ID&childIDMask
		b = append(binary.BigEndian.AppendUint16(b, entry), byte(c.Mode))
	}
	return b
}

// String prints the entry in short form, for logs.
func (c ChildEntry) String() string { return fmt.Sprintf("child %d %v %v", c.ID, c.Mode, c.Timeout) }
