package thread

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

// A router that has more to tell of its children than there is room for tells of all, one after the other: those that have much to say do not
// keep the others out, whose datagrams would all go over it.
func TestAllChildrenAreTold(t *testing.T) {
	e := newFuzzEngine(t, 1)
	e.timing.AdvertiseQuiet = 8 * e.timing.AdvertiseMax
	const children, rounds = 8, 6
	for i := range children {
		c := e.neighbors.AddChild(ieee802154.ExtAddr{byte(20 + i)}, neighbors.ParentRequest)
		c.RLOC16, c.Mode, c.Timeout = e.rloc|mle.RLOC16(20+i), ModeFullThreadDevice, time.Hour
		e.neighbors.Change(&c.Neighbor, neighbors.Valid)
	}
	told := map[ieee802154.ExtAddr]int{}
	for range rounds {
		e.Advance(e.Now.Add(2 * toldPause))
		for c := range e.neighbors.Children.Established() {
			c.Said = neighbors.Known{Key: e.keys.Sequence(), Counter: 1, At: e.Now}
		}
		e.shortcuts.append(make([]byte, maxAdvertisement-3-2-2*childSize)) // there is room for two
		for c := range e.neighbors.Children.Established() {
			if c.ToldAt.Equal(e.Now) {
				told[c.Ext]++
			}
		}
	}
	for i := range children {
		if n := told[ieee802154.ExtAddr{byte(20 + i)}]; n == 0 {
			t.Errorf("nobody is told of child %d", i)
		}
	}
}
