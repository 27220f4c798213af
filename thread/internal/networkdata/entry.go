package networkdata

import (
	"iter"
	"net/netip"

	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// Kind says what an Entry is.
type Kind uint8

// Kinds of entries.
const (
	OnMeshPrefix  Kind = iota // an entry of a Border Router TLV
	ExternalRoute             // of a Has Route TLV
	Service                   // a Server TLV
)

// An Entry is one thing that one server has registered. Two are the same if they compare as equal.
type Entry struct {
	Kind   Kind
	Stable bool

	// Of a prefix or route.
	Prefix     netip.Prefix // masked
	DomainID   uint8
	Preference netdata.Preference
	Flags      netdata.BorderRouterFlags // of a prefix

	// Of a service. What it is known by goes first, then what the server says of itself.
	Enterprise              uint32
	ServiceData, ServerData string
}

// sameThing reports whether two entries of one server exclude each other.
func (e *Entry) sameThing(o *Entry) bool {
	return e.Kind == o.Kind && e.Prefix == o.Prefix && e.Enterprise == o.Enterprise && e.ServiceData == o.ServiceData
}

// All yields the entries of network data in their order, with their servers.
func All(tlvs []byte) iter.Seq2[mle.RLOC16, Entry] {
	return func(yield func(mle.RLOC16, Entry) bool) {
		for t := range netdata.All(tlvs) {
			switch t.Type {
			case netdata.TypePrefix:
				if p, err := netdata.ParsePrefix(t.Value); err == nil && !yieldPrefix(p, yield) {
					return
				}
			case netdata.TypeService:
				if s, err := netdata.ParseService(t.Value); err == nil && !yieldService(s, yield) {
					return
				}
			}
		}
	}
}

func yieldPrefix(p netdata.Prefix, yield func(mle.RLOC16, Entry) bool) bool {
	for sub := range netdata.All(p.SubTLVs) {
		e := Entry{Prefix: p.Prefix, DomainID: p.DomainID, Stable: sub.Stable}
		switch sub.Type {
		case netdata.TypeBorderRouter:
			routers, _ := netdata.ParseBorderRouters(sub.Value)
			for r := range routers.All() {
				e.Kind, e.Preference, e.Flags = OnMeshPrefix, r.Preference, r.Flags
				if !yield(r.RLOC16, e) {
					return false
				}
			}
		case netdata.TypeHasRoute:
			routes, _ := netdata.ParseHasRoute(sub.Value)
			for r := range routes.All() {
				e.Kind, e.Preference = ExternalRoute, r.Preference
				if !yield(r.RLOC16, e) {
					return false
				}
			}
		}
	}
	return true
}

func yieldService(s netdata.Service, yield func(mle.RLOC16, Entry) bool) bool {
	for sub := range netdata.All(s.SubTLVs) {
		if sub.Type != netdata.TypeServer {
			continue
		}
		server, err := netdata.ParseServer(sub.Value)
		e := Entry{
			Kind: Service, Stable: sub.Stable, Enterprise: s.Enterprise, ServiceData: string(s.Data), ServerData: string(server.Data),
		}
		if err == nil && !yield(server.RLOC16, e) {
			return false
		}
	}
	return true
}
