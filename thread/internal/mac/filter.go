package mac

import (
	"fmt"
	"slices"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
)

// FilterMode says what the addresses of a Filter are for.
type FilterMode uint8

// Modes of a Filter.
const (
	FilterOff       FilterMode = iota // frames of all nodes are received
	FilterWhitelist                   // only those of listed nodes
	FilterBlacklist                   // all but those of listed nodes
)

func (m FilterMode) String() string {
	names := [...]string{"off", "whitelist", "blacklist"}
	if int(m) < len(names) {
		return names[m]
	}
	return fmt.Sprintf("FilterMode(%d)", uint8(m))
}

// maxFilterEntries bounds a Filter.
const maxFilterEntries = 32

// FilterEntry is what a Filter has on one node: that it is listed, a fixed signal strength, or both.
type FilterEntry struct {
	ExtAddr ieee802154.ExtAddr
	Listed  bool
	// Fixed says that frames of this node count as received with RSSI, in dBm.
	Fixed bool
	RSSI  int
}

// free reports whether the place of the entry may be used again.
func (en *FilterEntry) free() bool { return !en.Listed && !en.Fixed }

// Filter makes a node deaf to others, or hear them with another signal strength than they have: to lay out a network by hand.
// Filtered frames are acknowledged nevertheless, for radios do so by themselves. The zero value lets everything pass.
type Filter struct {
	mode    FilterMode
	entries []FilterEntry
	fixed   bool // every frame counts as received with rssi
	rssi    int
}

// Mode returns the mode.
func (f *Filter) Mode() FilterMode { return f.mode }

// SetMode changes the mode.
func (f *Filter) SetMode(m FilterMode) { f.mode = m }

// Entries returns the entries.
func (f *Filter) Entries() []FilterEntry {
	return slices.DeleteFunc(slices.Clone(f.entries), func(en FilterEntry) bool { return en.free() })
}

// RSSI returns the fixed signal strength of nodes that have none of their own, in dBm, and false if there is none.
func (f *Filter) RSSI() (rssi int, ok bool) { return f.rssi, f.fixed }

// List lists a node. It fails with core.ErrExists if it is listed, and with core.ErrTableFull if it has no place.
func (f *Filter) List(a ieee802154.ExtAddr) error {
	en, err := f.add(a)
	if err != nil {
		return err
	}
	if en.Listed {
		return core.ErrExists
	}
	en.Listed = true
	return nil
}

// Unlist undoes List. It fails with core.ErrNotFound.
func (f *Filter) Unlist(a ieee802154.ExtAddr) error {
	en := f.find(a)
	if en == nil || !en.Listed {
		return core.ErrNotFound
	}
	en.Listed = false
	return nil
}

// UnlistAll undoes every List.
func (f *Filter) UnlistAll() {
	for i := range f.entries {
		f.entries[i].Listed = false
	}
}

// Fix gives a node a fixed signal strength in dBm; 127, which is none, takes it away. It fails with core.ErrTableFull if it has no place.
func (f *Filter) Fix(a ieee802154.ExtAddr, rssi int) error {
	en, err := f.add(a)
	if err != nil {
		return err
	}
	en.Fixed, en.RSSI = rssi != neighbors.RSSIUnknown, rssi
	return nil
}

// Unfix undoes Fix. It fails with core.ErrNotFound.
func (f *Filter) Unfix(a ieee802154.ExtAddr) error {
	en := f.find(a)
	if en == nil {
		return core.ErrNotFound
	}
	en.Fixed = false
	return nil
}

// FixAll gives all nodes that have none of their own a fixed signal strength in dBm; UnfixAll undoes that.
func (f *Filter) FixAll(rssi int) { f.fixed, f.rssi = rssi != neighbors.RSSIUnknown, rssi }

// UnfixAll undoes FixAll, but not Fix.
func (f *Filter) UnfixAll() { f.fixed = false }

// UnfixEach undoes FixAll and every Fix.
func (f *Filter) UnfixEach() {
	f.fixed = false
	for i := range f.entries {
		f.entries[i].Fixed = false
	}
}

func (f *Filter) find(a ieee802154.ExtAddr) *FilterEntry {
	for i := range f.entries {
		if en := &f.entries[i]; en.ExtAddr == a && !en.free() {
			return en
		}
	}
	return nil
}

func (f *Filter) add(a ieee802154.ExtAddr) (*FilterEntry, error) {
	if en := f.find(a); en != nil {
		return en, nil
	}
	i := slices.IndexFunc(f.entries, func(en FilterEntry) bool { return en.free() })
	if i < 0 {
		if i = len(f.entries); i == maxFilterEntries {
			return nil, core.ErrTableFull
		}
		f.entries = append(f.entries, FilterEntry{})
	}
	f.entries[i] = FilterEntry{ExtAddr: a}
	return &f.entries[i], nil
}

// pass reports whether frames of a node are received.
func (f *Filter) pass(a ieee802154.ExtAddr) bool {
	if f.mode == FilterOff {
		return true
	}
	en := f.find(a)
	listed := en != nil && en.Listed
	return listed == (f.mode == FilterWhitelist)
}

// fixedRSSI returns the fixed signal strength of a node, and false if it has none.
func (f *Filter) fixedRSSI(a ieee802154.ExtAddr) (rssi int, ok bool) {
	if en := f.find(a); en != nil && en.Fixed {
		return en.RSSI, true
	}
	return f.rssi, f.fixed
}
