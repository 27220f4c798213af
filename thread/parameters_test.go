package thread

import (
	"errors"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

// TestParentPriority is assigned, or follows the number of free places.
func TestParentPriority(t *testing.T) {
	e := newTestEngine(t)
	console := e.Console()
	if err := console.SetMaxChildren(3); err != nil {
		t.Fatal(err)
	}
	check := func(want mle.ParentPriority) {
		t.Helper()
		if got := e.parent.connectivity().ParentPriority; got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
	check(mle.ParentPriorityMedium)
	for i := range 3 {
		e.neighbors.AddChild(ieee802154.ExtAddr{byte(i + 1)}, neighbors.Valid)
	}
	check(mle.ParentPriorityLow)
	p := console.Parameters()
	p.ParentPriority = mle.ParentPriorityHigh
	if err := console.SetParameters(p); err != nil {
		t.Fatal(err)
	}
	check(mle.ParentPriorityHigh)
}

// A leader does not take its own router ID back, whoever asks for it.
func TestOwnRouterIDIsKept(t *testing.T) {
	e := newTestEngine(t)
	e.leading.assign(0, e.Ext)
	e.becomeLeader(0)
	e.leading.release(0)
	if err := e.Console().ReleaseRouterID(e.Now, 0); !errors.Is(err, ErrArgument) {
		t.Errorf("by command: %v", err)
	}
	if !e.neighbors.Routers.IsAssigned(0) {
		t.Error("the leader's own ID released")
	}
}
