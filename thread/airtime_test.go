package thread

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
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
		{"needs much for a while", 14 * time.Second, 20 * time.Second, 3, false},
		{"much", 28 * time.Second, 4 * time.Second, 3, false},
		{"nearly all", 29 * time.Second, 5 * time.Second, 3, true},
		{"a little less", 29 * time.Second, 4 * time.Second, 3, true},
		{"less again", 28 * time.Second, 2500 * time.Millisecond, 3, false},
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

// What passes through is told apart as well: a child whose parent has no airtime left for data can ask for a router ID.
func TestPriorityOfMeshFrames(t *testing.T) {
	e := newFuzzEngine(t, 0)
	src := ieee802154.ShortAddress(ieee802154.ShortAddr(fuzzRouterRLOC))
	from, to := fuzzRouterRLOC.Addr(e.addresses.Prefix()), mle.RouterRLOC16(9).Addr(e.addresses.Prefix())
	for _, tt := range []struct {
		name string
		dst  netip.Addr
		port uint16
		size int
		want sender.Priority
	}{
		{"TMF", to, tmf.UDPPort, 40, sender.PriorityNet},
		{"TMF in fragments", to, tmf.UDPPort, 300, sender.PriorityNet},
		{"data", to, 1234, 40, sender.PriorityNormal},
		{"TMF to the outside", netip.MustParseAddr("2001:db8::1"), tmf.UDPPort, 40, sender.PriorityNormal},
	} {
		datagram, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: from, Dst: tt.dst}, 1234, tt.port, make([]byte, tt.size))
		if err != nil {
			t.Fatal(err)
		}
		r := received{src: src, dst: neighbors.ShortAddr(mle.RouterRLOC16(9))}
		if r.payload, _, err = (lowpan.Packet{Datagram: datagram, Tag: 1, Src: r.src, Dst: r.dst}).AppendFrame(nil, 0, 90, &e.contexts); err != nil {
			t.Fatal(err)
		}
		g, ok := e.mesh.peek(&r)
		if got := g.priority(); !ok || got != tt.want {
			t.Errorf("%s: %v, %v, want %v", tt.name, got, ok, tt.want)
		}
	}
}
