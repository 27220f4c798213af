package dissect

import (
	"iter"
	"slices"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// nodeTable holds the nodes that are known.
type nodeTable struct {
	known []ieee802154.ExtAddr // in the order in which they were heard of
	short map[ieee802154.ShortAddr]ieee802154.ExtAddr
}

// add makes a node known.
func (t *nodeTable) add(ext ieee802154.ExtAddr) {
	if !slices.Contains(t.known, ext) {
		t.known = append(t.known, ext)
	}
}

// bind makes a node known with its short address. An address that is no locator is not recorded.
func (t *nodeTable) bind(short ieee802154.ShortAddr, ext ieee802154.ExtAddr) {
	t.add(ext)
	if mle.RLOC16(short).Valid() {
		t.short[short] = ext
	}
}

// candidates yields the nodes that may have an address, the likeliest first.
func (t *nodeTable) candidates(a ieee802154.Addr) iter.Seq[ieee802154.ExtAddr] {
	return func(yield func(ieee802154.ExtAddr) bool) {
		switch a.Mode {
		case ieee802154.AddrModeExt:
			yield(a.Ext)
		case ieee802154.AddrModeShort:
			owner, ok := t.short[a.Short]
			if ok && !yield(owner) {
				return
			}
			for _, ext := range t.known {
				if (!ok || ext != owner) && !yield(ext) {
					return
				}
			}
		}
	}
}
