package thread

import (
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// TestParentPriority is assigned, or follows the number of free places.
func TestParentPriority(t *testing.T) {
	e := newTestEngine(t)
	if err := e.SetMaxChildren(3); err != nil {
		t.Fatal(err)
	}
	check := func(want mle.ParentPriority) {
		t.Helper()
		if got := e.connectivity().ParentPriority; got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
	check(mle.ParentPriorityMedium)
	for i := range 3 {
		e.children.add(ieee802154.ExtAddr{byte(i + 1)}).state = stateValid
	}
	check(mle.ParentPriorityLow)
	p := e.Parameters()
	p.ParentPriority = mle.ParentPriorityHigh
	if err := e.SetParameters(p); err != nil {
		t.Fatal(err)
	}
	check(mle.ParentPriorityHigh)
}
