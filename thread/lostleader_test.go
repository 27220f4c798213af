package thread_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/mle"
)

// TestLeaderLostSearch: who has lost the leader makes two attempts to find another way into the same partition, each with two
// requests to all that could be a parent; then it looks for any partition, routers first.
func TestLeaderLostSearch(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	router := m.Nodes[1] // the first is the leader
	listener := m.AddPeer(9, lorasim.Position{})
	listener.Deaf = true
	m.Nodes[0].PowerOff()
	m.Until(135*time.Second, "the router leads", func() bool { return router.Role() == thread.RoleLeader })

	var masks []mle.ScanMask
	for _, h := range listener.Find(mle.ParentRequest, router.ExtAddr()) {
		masks = append(masks, must(h.ScanMask()))
	}
	const all = mle.ScanRouters | mle.ScanEndDevices
	if want := []mle.ScanMask{all, all, all, all, mle.ScanRouters, all}; !slices.Equal(masks, want) {
		t.Errorf("Parent Requests ask %v, want %v", masks, want)
	}
}
