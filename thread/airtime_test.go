package thread

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/sender"
)

// The less is left of the airtime, the dearer are the ways over a node, until it sends no more data; it takes some relief for that to end.
func TestThrift(t *testing.T) {
	e := newFuzzEngine(t, 0)
	for _, tt := range []struct {
		name       string
		used, need time.Duration // of 36 s
		burden     uint8
		short      bool
	}{
		{"fresh", 0, 0, 0, false},
		{"half", 18 * time.Second, 0, 0, false},
		{"most of it soon", 12 * time.Second, 12 * time.Second, 1, false},
		{"more", 24 * time.Second, 4 * time.Second, 2, false},
		{"much", 28 * time.Second, 4 * time.Second, 3, false},
		{"nearly all", 29 * time.Second, 5 * time.Second, 3, true},
		{"a little less", 29 * time.Second, 4 * time.Second, 3, true},
		{"less again", 28 * time.Second, 3500 * time.Millisecond, 3, false},
		{"less", 24 * time.Second, 4 * time.Second, 2, false},
		{"little", 5 * time.Second, 0, 0, false},
	} {
		e.SetAirtime(e.Now, Airtime{Limit: 36 * time.Second, Used: tt.used, Need: tt.need})
		if e.thrift.burden != tt.burden || e.neighbors.Routers.Burden != tt.burden || e.sender.Hold != tt.short {
			t.Errorf("%s: burden %d, no data: %v", tt.name, e.thrift.burden, e.sender.Hold)
		}
	}
	e.SetAirtime(e.Now, Airtime{Limit: 36 * time.Second, Used: 36 * time.Second})
	if e.SetAirtime(e.Now, Airtime{}); e.thrift.burden != 0 || e.sender.Hold {
		t.Error("a limit that is no more holds")
	}
}

// Without airtime for data, data are given up, and what holds the mesh together goes.
func TestNoAirtimeForData(t *testing.T) {
	e := newFuzzEngine(t, 0)
	e.SetAirtime(e.Now, Airtime{Limit: 36 * time.Second, Used: 34 * time.Second})
	failed := e.Counters().TxDatagramsFailed
	for _, p := range []sender.Priority{sender.PriorityNormal, sender.PriorityNet} {
		e.ip.sendUDP(e.addresses.RLOC(), 1, netip.AddrPortFrom(fuzzRouterRLOC.Addr(e.addresses.Prefix()), 1), []byte("x"), p)
	}
	pass(t, e, 10*time.Second)
	if got := e.Counters().TxDatagramsFailed - failed; got != 1 {
		t.Errorf("%d datagrams given up, want the one of a user", got)
	}
}
