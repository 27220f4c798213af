package dissect

import (
	"net/netip"
	"slices"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Ours: how many places are remembered, and how many addresses at each. A router is the place of its minimal children as well.
const (
	maxPlaces     = 1024
	maxAtOnePlace = 8
)

// ends are the mesh-local addresses that were seen at each place, to find again those that frames leave out, see [lowpan.Ends].
type ends map[ieee802154.ShortAddr][]netip.Addr

// learn notes the addresses of a datagram between two places.
func (e ends) learn(f *Frame, src, dst ieee802154.Addr) {
	h, err := ip6.ParseHeader(f.Datagram)
	if err != nil {
		return
	}
	e.put(f, src, h.Src)
	e.put(f, dst, h.Dst)
}

func (e ends) put(f *Frame, at ieee802154.Addr, a netip.Addr) {
	_, locator := mle.LocatorOf(a)
	if at.Mode != ieee802154.AddrModeShort || at.IsBroadcast() || !f.meshLocal.Contains(a) || locator {
		return
	}
	known := slices.DeleteFunc(e[at.Short], func(k netip.Addr) bool { return k == a })
	if len(known) == 0 && len(e) >= maxPlaces {
		clear(e)
	}
	if len(known) >= maxAtOnePlace {
		known = known[:maxAtOnePlace-1]
	}
	e[at.Short] = slices.Insert(known, 0, a)
}

// restore puts into the frame's datagram what was left out, if that was seen before.
func (e ends) restore(f *Frame, src, dst ieee802154.Addr) {
	f.Unaddressed = !f.Ends.Restore(f.Datagram, e[src.Short], e[dst.Short])
	if !f.Unaddressed {
		e.learn(f, src, dst)
	}
}

// decompress takes a datagram out of the frame that has all of it.
func (d *Dissector) decompress(f *Frame, payload []byte) {
	src, dst := f.linkLayer()
	headers, consumed, err := lowpan.Decompress(nil, payload, src, dst, &d.contexts, 0)
	if err != nil {
		f.fail(err)
		return
	}
	f.Datagram = append(headers, payload[consumed:]...)
	if f.Ends = lowpan.EndsOf(payload, &d.contexts); f.Ends != (lowpan.Ends{}) {
		d.ends.restore(f, src, dst)
		return
	}
	d.ends.learn(f, src, dst)
}
