package networkdata

import (
	"net/netip"
	"slices"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// maxString is the longest service data and server data.
const maxString = 252

// Local is what this node offers to its partition: on-mesh prefixes, routes to the outside, services. It is a wish: the leader is to be
// told of it, and it is fulfilled when the leader's data has it.
type Local struct {
	entries []Entry
}

// Set adds an entry, or replaces the one for the same prefix, route or service. It fails with core.ErrTableFull if all entries together
// take more than network data may have.
func (l *Local) Set(e Entry) error {
	if len(e.ServiceData) > maxString || len(e.ServerData) > maxString {
		return core.ErrTableFull
	}
	entries := slices.DeleteFunc(slices.Clone(l.entries), func(o Entry) bool { return o.sameThing(&e) })
	entries = append(entries, e)
	if len(encode(entries, 0)) > maxSize {
		return core.ErrTableFull
	}
	l.entries = entries
	return nil
}

// Remove takes back the entry for the prefix, route or service of e. It fails with core.ErrNotFound.
func (l *Local) Remove(e Entry) error {
	i := slices.IndexFunc(l.entries, func(o Entry) bool { return o.sameThing(&e) })
	if i < 0 {
		return core.ErrNotFound
	}
	l.entries = slices.Delete(l.entries, i, i+1)
	return nil
}

// Entries returns all entries in the order in which they were set. They are not to be changed.
func (l *Local) Entries() []Entry { return l.entries }

// AppendTLVs appends the entries as network data, with the server's locator.
func (l *Local) AppendTLVs(b []byte, server mle.RLOC16) []byte {
	return append(b, encode(l.entries, server)...)
}

// Serves reports whether this node lets a datagram out of the mesh, by what it offers.
func (l *Local) Serves(src, dst netip.Addr) bool {
	for i := range l.entries {
		switch e := &l.entries[i]; e.Kind {
		case OnMeshPrefix:
			if e.Flags.Has(netdata.FlagDefaultRoute) && e.Prefix.Contains(src) {
				return true
			}
		case ExternalRoute:
			if e.Prefix.Contains(dst) {
				return true
			}
		}
	}
	return false
}

// In reports whether the leader's data has these entries for a server, and no others.
func (l *Local) In(d *Data, server mle.RLOC16) bool {
	found := 0
	for rloc, e := range All(d.tlvs) {
		if rloc != server {
			continue
		}
		if !slices.Contains(l.entries, e) {
			return false
		}
		found++
	}
	return found == len(l.entries)
}

// encode returns entries as network data, each in a TLV of its own.
func encode(entries []Entry, server mle.RLOC16) []byte {
	var elements []element
	for i := range entries {
		elements = append(elements, entries[i].element(server))
	}
	return appendElements(nil, elements)
}

// element is an entry in a Prefix or Service TLV of its own.
func (e *Entry) element(server mle.RLOC16) element {
	value, _ := e.entry(server)
	sub := netdata.TLV{Type: e.subType(), Stable: e.Stable, Value: value}
	if e.Kind == Service {
		return element{typ: netdata.TypeService, head: e.head(0), subs: []netdata.TLV{sub}}
	}
	return element{typ: netdata.TypePrefix, head: e.head(0), subs: []netdata.TLV{sub}}
}
