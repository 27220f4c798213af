package lowpan

import (
	"bytes"
	"net/netip"

	"github.com/gopymesh/pymesh/thread/ip6"
)

// NumContexts is the number of contexts, which have the identifiers 0 to 15 (RFC 6282 §3.1.2).
const NumContexts = 16

// MeshLocalContext is the identifier of the context whose prefix is the mesh-local prefix. The others come from the
// network data (Thread 1.1 §5.18).
const MeshLocalContext = 0

// EndsContext is the identifier by which this implementation leaves out the addresses of both ends: see [Ends].
const EndsContext = NumContexts - 1

// Context is a prefix that addresses are compressed with.
type Context struct {
	Prefix   netip.Prefix
	Compress bool // may be used to compress; it may always be used to decompress
}

// Contexts is the table of contexts of a network. The zero value is empty. It may be copied.
type Contexts struct {
	bases [NumContexts]base
}

// base is what the upper bits of an address are made of: a context, or the link-local prefix.
type base struct {
	prefix   [addrLen]byte // zero behind its bits
	bits     int           // 0: no context
	compress bool
}

// linkLocal is the base of stateless compression (RFC 6282 §3.1.1, SAC and DAC 0).
var linkLocal = newBase(Context{Prefix: ip6.LinkLocalPrefix, Compress: true})

func newBase(c Context) base {
	return base{prefix: c.Prefix.Masked().Addr().As16(), bits: c.Prefix.Bits(), compress: c.Compress}
}

// Set sets context id. It fails with [ErrRange] unless id is below [NumContexts] and the prefix is an IPv6 prefix of 1
// bit or more.
func (c *Contexts) Set(id uint8, context Context) error {
	if id >= NumContexts || context.Prefix.Bits() < 1 || !context.Prefix.Addr().Is6() {
		return ErrRange
	}
	c.bases[id] = newBase(context)
	return nil
}

// Get returns context id, and whether it is there.
func (c *Contexts) Get(id uint8) (Context, bool) {
	if id >= NumContexts || c.bases[id].bits == 0 {
		return Context{}, false
	}
	return c.bases[id].context(), true
}

// Lookup returns the context with the longest prefix that addr lies in, and its identifier; of equally long ones the
// one with the lowest identifier.
func (c *Contexts) Lookup(addr netip.Addr) (id uint8, context Context, ok bool) {
	a := addr.As16()
	id, ok = c.lookup(&a)
	if !ok {
		return 0, Context{}, false
	}
	return id, c.bases[id].context(), true
}

func (c *Contexts) lookup(a *[addrLen]byte) (id uint8, ok bool) {
	longest := 0
	for i := range c.bases {
		if b := &c.bases[i]; b.bits > longest && b.contains(a) {
			id, longest = uint8(i), b.bits
		}
	}
	return id, longest > 0
}

// get returns context id for decompression, or nil.
func (c *Contexts) get(id uint8) *base {
	if b := &c.bases[id]; b.bits > 0 {
		return b
	}
	return nil
}

func (b *base) context() Context {
	return Context{Prefix: netip.PrefixFrom(netip.AddrFrom16(b.prefix), b.bits), Compress: b.compress}
}

func (b *base) contains(a *[addrLen]byte) bool {
	n, mask := b.bits/8, b.lastMask()
	return bytes.Equal(a[:n], b.prefix[:n]) && (mask == 0 || a[n]&mask == b.prefix[n])
}

// lastMask returns the mask of the prefix's bits in the byte that it covers in part; 0 if there is none.
func (b *base) lastMask() byte { return ^byte(0xff >> (b.bits % 8)) }

// join returns the address that has the given interface identifier. Bits that the prefix covers are the prefix's even
// beyond 64, and bits between a shorter prefix and the identifier are zero (RFC 6282 §3.1.1).
func (b *base) join(iid ip6.InterfaceID) [addrLen]byte {
	a := b.prefix
	copy(a[addrLen-interfaceIDLen:], iid[:])
	n, mask := b.bits/8, b.lastMask()
	for i := addrLen - interfaceIDLen; i < n; i++ {
		a[i] = b.prefix[i]
	}
	if mask != 0 && n >= addrLen-interfaceIDLen {
		a[n] = a[n]&^mask | b.prefix[n]
	}
	return a
}
