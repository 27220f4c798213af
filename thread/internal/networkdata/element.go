package networkdata

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// An element is a TLV taken apart: a Prefix or Service with what is inside, or another as it is. Its slices may be shared and are never
// written to.
type element struct {
	typ    netdata.Type
	stable bool          // of one that is no Prefix or Service
	head   []byte        // its value, but for subs
	subs   []netdata.TLV // in a Prefix or Service
}

// parseElements takes network data apart, which must be valid.
func parseElements(tlvs []byte) []element {
	var elements []element
	for t := range netdata.All(tlvs) {
		e := element{typ: t.Type, stable: t.Stable, head: t.Value}
		var subs []byte
		switch t.Type {
		case netdata.TypePrefix:
			p, _ := netdata.ParsePrefix(t.Value)
			subs = p.SubTLVs
		case netdata.TypeService:
			s, _ := netdata.ParseService(t.Value)
			subs = s.SubTLVs
		}
		e.head = t.Value[:len(t.Value)-len(subs)]
		e.subs = slices.Collect(netdata.All(subs))
		elements = append(elements, e)
	}
	return elements
}

// appendElements puts network data together. A Prefix or Service is stable if something inside is (Thread 1.1 §5.18.6). What is too long for
// a TLV makes the result too long for network data.
func appendElements(b []byte, elements []element) []byte {
	for i := range elements {
		e := &elements[i]
		value, stable := slices.Clone(e.head), e.stable
		if e.isContainer() {
			stable = slices.ContainsFunc(e.subs, func(t netdata.TLV) bool { return t.Stable })
			for _, sub := range e.subs {
				value = appendTLV(value, sub)
			}
		}
		b = appendTLV(b, netdata.TLV{Type: e.typ, Stable: stable, Value: value})
	}
	return b
}

func appendTLV(b []byte, t netdata.TLV) []byte {
	b, err := t.AppendBinary(b)
	if err != nil {
		return append(b, make([]byte, maxSize+1)...)
	}
	return b
}

func (e *element) isContainer() bool {
	return e.typ == netdata.TypePrefix || e.typ == netdata.TypeService
}

// find returns the index of the TLV inside with a type and stable flag, -1 if there is none.
func (e *element) find(t netdata.Type, stable bool) int {
	return slices.IndexFunc(e.subs, func(s netdata.TLV) bool { return s.Type == t && s.Stable == stable })
}

// context returns the index of the 6LoWPAN Context TLV, -1 if there is none.
func (e *element) context() int {
	return slices.IndexFunc(e.subs, func(s netdata.TLV) bool { return s.Type == netdata.TypeContext })
}

// compress sets or clears the flag with which a context may be used to compress, and makes it stable if it is to be.
func (e *element) compress(i int, on, stable bool) {
	c, err := netdata.ParseContextTLV(e.subs[i].Value)
	if err != nil {
		return
	}
	c.Compress = on
	e.subs[i].Value, _ = c.AppendBinary(nil)
	e.subs[i].Stable = e.subs[i].Stable || stable
}

// without removes the entries whose server matches. What is empty then is gone, but for the context of a prefix.
func (e *element) without(match func(mle.RLOC16) bool) {
	var subs []netdata.TLV
	for _, sub := range e.subs {
		switch sub.Type {
		case netdata.TypeBorderRouter:
			sub.Value = withoutEntries(sub.Value, borderRouterSize, match)
		case netdata.TypeHasRoute:
			sub.Value = withoutEntries(sub.Value, routeSize, match)
		case netdata.TypeServer:
			if s, err := netdata.ParseServer(sub.Value); err == nil && match(s.RLOC16) {
				continue
			}
		}
		if len(sub.Value) > 0 {
			subs = append(subs, sub)
		}
	}
	e.subs = subs
	if c := e.context(); c >= 0 {
		e.compress(c, len(e.subs) > 1, false)
	}
}

// Sizes of entries, which begin with their server's locator.
const (
	routeSize        = 3
	borderRouterSize = 4
)

func withoutEntries(value []byte, size int, match func(mle.RLOC16) bool) []byte {
	var rest []byte
	for entry := range slices.Chunk(value, size) {
		if len(entry) < size || !match(mle.RLOC16(binary.BigEndian.Uint16(entry))) {
			rest = append(rest, entry...)
		}
	}
	return rest
}

// add appends an entry to the TLV inside that holds its kind, which is made if there is none. Servers have a TLV each.
func (e *element) add(entry *Entry, server mle.RLOC16) {
	t := entry.subType()
	value, _ := entry.entry(server)
	if t != netdata.TypeServer {
		if i := e.find(t, entry.Stable); i >= 0 {
			e.subs[i].Value = append(slices.Clip(e.subs[i].Value), value...)
			return
		}
	}
	e.subs = append(e.subs, netdata.TLV{Type: t, Stable: entry.Stable, Value: value})
}

// subType is the type of the TLV that holds entries of that kind.
func (e *Entry) subType() netdata.Type {
	switch e.Kind {
	case OnMeshPrefix:
		return netdata.TypeBorderRouter
	case ExternalRoute:
		return netdata.TypeHasRoute
	}
	return netdata.TypeServer
}

// entry is what that TLV holds of it.
func (e *Entry) entry(server mle.RLOC16) ([]byte, error) {
	switch e.Kind {
	case OnMeshPrefix:
		return netdata.BorderRouter{RLOC16: server, Preference: e.Preference, Flags: e.Flags}.AppendBinary(nil)
	case ExternalRoute:
		return netdata.Route{RLOC16: server, Preference: e.Preference}.AppendBinary(nil)
	}
	return netdata.Server{RLOC16: server, Data: []byte(e.ServerData)}.AppendBinary(nil)
}

// head is what the Prefix or Service TLV around it begins with.
func (e *Entry) head(serviceID uint8) []byte {
	var b []byte
	if e.Kind == Service {
		b, _ = netdata.Service{ID: serviceID, Enterprise: e.Enterprise, Data: []byte(e.ServiceData)}.AppendBinary(nil)
	} else {
		b, _ = netdata.Prefix{DomainID: e.DomainID, Prefix: e.Prefix}.AppendBinary(nil)
	}
	return b
}

// holds reports whether a Prefix or Service is the one that an entry belongs into. The ID of a service is the leader's.
func (e *element) holds(entry *Entry) bool {
	switch {
	case entry.Kind != Service && e.typ == netdata.TypePrefix:
		p, err := netdata.ParsePrefix(e.head)
		return err == nil && p.Prefix == entry.Prefix
	case entry.Kind == Service && e.typ == netdata.TypeService:
		head := entry.head(0)
		return len(e.head) == len(head) && (e.head[0]^head[0])&^serviceIDMask == 0 && bytes.Equal(e.head[1:], head[1:])
	}
	return false
}

// serviceIDMask are the bits of the ID in the first byte of a service (Thread 1.1 §5.18.6).
const serviceIDMask = 0x0f

// serviceID returns the ID of a service, and false if it is none.
func (e *element) serviceID() (uint8, bool) {
	if e.typ != netdata.TypeService || len(e.head) == 0 {
		return 0, false
	}
	return e.head[0] & serviceIDMask, true
}
