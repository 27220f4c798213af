package netdata

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"strconv"

	"github.com/gopymesh/pymesh/thread/mle"
)

// Sizes and fields of the values (Thread 1.1 §5.18; the Prefix TLV in §5.18.2, Border Router in §5.18.3).
const (
	prefixHeaderSize      = 2 // domain ID and prefix length
	maxPrefixLength       = 128
	addrSize              = 16
	routeSize             = 3 // RLOC16 and flags
	borderRouterSize      = 4 // RLOC16 and two bytes of flags
	contextSize           = 2
	preferenceShift       = 6
	routePreferenceMask   = 0xc0
	borderPreferenceMask  = 0xc000
	borderPreferenceShift = 14
	contextCompress       = 1 << 4
	contextIDMask         = 0x0f
)

// prefixBytes returns the number of bytes that hold a prefix of so many bits: 8 for a /60.
func prefixBytes(bits int) int { return (bits + 7) / 8 }

// Prefix is the value of a Prefix TLV: an IPv6 prefix and what is known of it.
type Prefix struct {
	DomainID uint8
	Prefix   netip.Prefix // masked: bits beyond its length are zero
	SubTLVs  []byte       // TLVs of the types Has Route, Border Router and 6LoWPAN Context, for All
}

// ParsePrefix parses the value of a Prefix TLV. Bits beyond the prefix length are dropped. SubTLVs aliases value and is
// not checked.
func ParsePrefix(value []byte) (Prefix, error) {
	if checkLength(TypePrefix, value) != nil {
		return Prefix{}, ErrValue
	}
	bits := int(value[1])
	end := prefixHeaderSize + prefixBytes(bits)
	if bits > maxPrefixLength || len(value) < end {
		return Prefix{}, ErrValue
	}
	var addr [addrSize]byte
	copy(addr[:], value[prefixHeaderSize:end])
	return Prefix{
		DomainID: value[0],
		Prefix:   netip.PrefixFrom(netip.AddrFrom16(addr), bits).Masked(),
		SubTLVs:  value[end:],
	}, nil
}

// AppendBinary appends the value of the TLV to b. The prefix must be an IPv6 one; ErrValue otherwise.
func (p Prefix) AppendBinary(b []byte) ([]byte, error) {
	if !p.Prefix.IsValid() || !p.Prefix.Addr().Is6() {
		return b, ErrValue
	}
	bits := p.Prefix.Bits()
	addr := p.Prefix.Masked().Addr().As16()
	b = append(b, p.DomainID, byte(bits))
	b = append(b, addr[:prefixBytes(bits)]...)
	return append(b, p.SubTLVs...), nil
}

// Preference ranks routes to a prefix (RFC 4191 §2.1): a 2-bit two's complement number on the air.
type Preference int8

// The preferences. RFC 4191 reserves -2.
const (
	PreferenceLow    Preference = -1
	PreferenceMedium Preference = 0
	PreferenceHigh   Preference = 1
)

// String returns "low", "medium", "high" or the number of the reserved value.
func (p Preference) String() string {
	switch p {
	case PreferenceLow:
		return "low"
	case PreferenceMedium:
		return "medium"
	case PreferenceHigh:
		return "high"
	default:
		return strconv.Itoa(int(p))
	}
}

// Route is an entry of a Has Route TLV: a border router with a route to the prefix.
type Route struct {
	RLOC16     mle.RLOC16
	Preference Preference
	Reserved   uint8 // 6 bits, zero in Thread 1.1
}

// AppendBinary appends the 3 bytes of r to b. It never fails.
func (r Route) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint16(b, uint16(r.RLOC16))
	return append(b, byte(r.Preference)<<preferenceShift|r.Reserved&^routePreferenceMask), nil
}

// HasRoute holds the encoded entries of a Has Route TLV.
type HasRoute []byte

// ParseHasRoute parses the value of a Has Route TLV. The result aliases value.
func ParseHasRoute(value []byte) (HasRoute, error) {
	if len(value)%routeSize != 0 {
		return nil, ErrValue
	}
	return HasRoute(value), nil
}

// Len returns the number of entries.
func (h HasRoute) Len() int { return len(h) / routeSize }

// All yields the entries in their order.
func (h HasRoute) All() iter.Seq[Route] {
	return func(yield func(Route) bool) {
		for b := h; len(b) >= routeSize; b = b[routeSize:] {
			r := Route{
				RLOC16:     mle.RLOC16(binary.BigEndian.Uint16(b)),
				Preference: Preference(int8(b[2]) >> preferenceShift),
				Reserved:   b[2] &^ routePreferenceMask,
			}
			if !yield(r) {
				return
			}
		}
	}
}

// BorderRouterFlags are the flags of a Border Router entry in their place on the air: 2 bytes, whose upper two bits are
// the preference and not part of the flags.
type BorderRouterFlags uint16

// The flags.
const (
	// FlagPreferred (P_preferred): SLAAC addresses of the prefix are preferred ones.
	FlagPreferred BorderRouterFlags = 1 << 13
	// FlagSLAAC (P_slaac): nodes may form addresses by SLAAC.
	FlagSLAAC BorderRouterFlags = 1 << 12
	// FlagDHCP (P_dhcp): the border router is a DHCPv6 agent for addresses.
	FlagDHCP BorderRouterFlags = 1 << 11
	// FlagConfigure (P_configure): it is a DHCPv6 agent for other configuration.
	FlagConfigure BorderRouterFlags = 1 << 10
	// FlagDefaultRoute (P_default): it is a default router for sources within the prefix.
	FlagDefaultRoute BorderRouterFlags = 1 << 9
	// FlagOnMesh (P_on_mesh): the prefix is on-link for the mesh.
	FlagOnMesh BorderRouterFlags = 1 << 8
	// FlagNDDNS (P_nd_dns): it gives DNS configuration by neighbor discovery.
	FlagNDDNS BorderRouterFlags = 1 << 7
)

// Has reports whether all bits of flags are set in f.
func (f BorderRouterFlags) Has(flags BorderRouterFlags) bool { return f&flags == flags }

// BorderRouter is an entry of a Border Router TLV: a border router that serves the prefix.
type BorderRouter struct {
	RLOC16     mle.RLOC16 // in the stable subset 0xfffe, or the ALOC of a DHCPv6 agent
	Preference Preference // of its default route
	Flags      BorderRouterFlags
}

// AppendBinary appends the 4 bytes of r to b. It never fails.
func (r BorderRouter) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint16(b, uint16(r.RLOC16))
	return binary.BigEndian.AppendUint16(b,
		uint16(r.Preference)<<borderPreferenceShift|uint16(r.Flags)&^borderPreferenceMask), nil
}

// BorderRouters holds the encoded entries of a Border Router TLV.
type BorderRouters []byte

// ParseBorderRouters parses the value of a Border Router TLV. The result aliases value.
func ParseBorderRouters(value []byte) (BorderRouters, error) {
	if len(value)%borderRouterSize != 0 {
		return nil, ErrValue
	}
	return BorderRouters(value), nil
}

// Len returns the number of entries.
func (r BorderRouters) Len() int { return len(r) / borderRouterSize }

// All yields the entries in their order.
func (r BorderRouters) All() iter.Seq[BorderRouter] {
	return func(yield func(BorderRouter) bool) {
		for b := r; len(b) >= borderRouterSize; b = b[borderRouterSize:] {
			flags := binary.BigEndian.Uint16(b[2:])
			e := BorderRouter{
				RLOC16:     mle.RLOC16(binary.BigEndian.Uint16(b)),
				Preference: Preference(int16(flags) >> borderPreferenceShift),
				Flags:      BorderRouterFlags(flags &^ borderPreferenceMask),
			}
			if !yield(e) {
				return
			}
		}
	}
}

// ContextTLV is the value of a 6LoWPAN Context TLV.
type ContextTLV struct {
	ID       uint8 // 1 to 15; 0 is the mesh-local prefix and not in network data
	Compress bool  // may be used to compress; without it, to decompress alone
	Length   uint8 // bits of the prefix that the context stands for
}

// ParseContextTLV parses the value of a 6LoWPAN Context TLV.
func ParseContextTLV(value []byte) (ContextTLV, error) {
	if checkLength(TypeContext, value) != nil {
		return ContextTLV{}, ErrValue
	}
	return ContextTLV{
		ID:       value[0] & contextIDMask,
		Compress: value[0]&contextCompress != 0,
		Length:   value[1],
	}, nil
}

// AppendBinary appends the value of the TLV to b. It never fails.
func (c ContextTLV) AppendBinary(b []byte) ([]byte, error) {
	flags := c.ID & contextIDMask
	if c.Compress {
		flags |= contextCompress
	}
	return append(b, flags, c.Length), nil
}

// Context is a 6LoWPAN compression context that network data defines.
type Context struct {
	ID       uint8
	Prefix   netip.Prefix
	Compress bool
	Stable   bool
}

// Contexts yields the compression contexts of network data b, but not context 0, the mesh-local prefix. Elements that
// are malformed, or whose context is longer than the prefix, are left out.
func Contexts(b []byte) iter.Seq[Context] {
	return func(yield func(Context) bool) {
		for t := range All(b) {
			if t.Type != TypePrefix {
				continue
			}
			p, err := ParsePrefix(t.Value)
			if err != nil {
				continue
			}
			for sub := range All(p.SubTLVs) {
				if sub.Type != TypeContext {
					continue
				}
				c, err := ParseContextTLV(sub.Value)
				if err != nil || int(c.Length) > p.Prefix.Bits() {
					continue
				}
				prefix := netip.PrefixFrom(p.Prefix.Addr(), int(c.Length)).Masked()
				if !yield(Context{ID: c.ID, Prefix: prefix, Compress: c.Compress, Stable: sub.Stable}) {
					return
				}
			}
		}
	}
}
