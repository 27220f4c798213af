package neighbors

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// The frame counter of a peer only rises, however often a router tells of it; another node at its place is another peer.
func TestVouch(t *testing.T) {
	a, b := ieee802154.ExtAddr{1}, ieee802154.ExtAddr{2}
	type told struct {
		ext     ieee802154.ExtAddr
		rloc    mle.RLOC16
		counter uint32
	}
	for _, tt := range []struct {
		name string
		told []told
		want map[mle.RLOC16]told
	}{
		{"once", []told{{a, 0x0401, 5}}, map[mle.RLOC16]told{0x0401: {a, 0x0401, 5}}},
		{"more", []told{{a, 0x0401, 5}, {a, 0x0401, 9}}, map[mle.RLOC16]told{0x0401: {a, 0x0401, 9}}},
		{"less", []told{{a, 0x0401, 5}, {a, 0x0401, 3}}, map[mle.RLOC16]told{0x0401: {a, 0x0401, 5}}},
		{"another node at that place", []told{{a, 0x0401, 5}, {b, 0x0401, 3}}, map[mle.RLOC16]told{0x0401: {b, 0x0401, 3}}},
		{"at another place", []told{{a, 0x0401, 5}, {a, 0x0802, 5}}, map[mle.RLOC16]told{0x0802: {a, 0x0802, 5}}},
	} {
		var p Peers
		for _, w := range tt.told {
			p.Vouch(epoch, Voucher{w.ext, w.rloc, 0, w.counter, epoch})
		}
		for rloc, w := range tt.want {
			if n := p.ByRLOC16(rloc); n == nil || n.Ext != w.ext || n.MAC.Next() != w.counter || !n.Valid() || n.Kind() != KindPeer {
				t.Errorf("%s: %+v", tt.name, n)
			}
		}
		if p.Len() != len(tt.want) || p.Empty() {
			t.Errorf("%s: %d peers", tt.name, p.Len())
		}
	}
}

// There is a bounded number, and the one gives way that was heard longest ago. Those below a router go with it.
func TestPeersBound(t *testing.T) {
	var p Peers
	for i := range MaxPeers + 1 {
		now := epoch.Add(time.Duration(i) * time.Second)
		p.Vouch(now, Voucher{ieee802154.ExtAddr{byte(i + 1)}, mle.RLOC16(0x0401 + i), 0, 1, now})
	}
	if p.Len() != MaxPeers || p.ByRLOC16(0x0401) != nil || p.ByRLOC16(0x0402) == nil {
		t.Errorf("%d peers, the oldest is %v", p.Len(), p.ByRLOC16(0x0401))
	}
	p.Vouch(epoch, Voucher{ieee802154.ExtAddr{0xff}, 0x0801, 0, 1, epoch.Add(time.Hour)})
	if p.Forget(epoch, 1); p.Len() != 1 || p.ByRLOC16(0x0801) == nil {
		t.Errorf("%d peers are left", p.Len())
	}
	if p.Clear(epoch); !p.Empty() {
		t.Error("not empty")
	}
}

// Peers go with the router IDs below which they are, with the network key, and with everything else.
func TestPeersGo(t *testing.T) {
	for name, end := range map[string]func(r *room){
		"reassigned": func(r *room) { r.SetAssigned(idSet(self, right), 3) },
		"released":   func(r *room) { r.Release(left, epoch) },
		"rekeyed":    func(r *room) { r.Rekey(false) },
		"forgotten":  func(r *room) { r.Forget() },
	} {
		r := newRouter(t)
		rloc := left.RLOC16() | 3
		r.Peers.Vouch(epoch, Voucher{ieee802154.ExtAddr{7}, rloc, 0, 1, epoch})
		if r.Beside(ShortAddr(rloc)) == nil || r.ByAddr(ShortAddr(rloc)) != nil || r.Beside(ieee802154.ExtAddress(ieee802154.ExtAddr{7})) != nil {
			t.Fatal("a peer is beside its node, and no neighbor")
		}
		if end(r); r.Beside(ShortAddr(rloc)) != nil {
			t.Errorf("%s: it is still there", name)
		}
	}
}

// What a router knows counts if it is younger than this node's memory, and than the last frame that came from that place unvouched.
func TestVouchTooOld(t *testing.T) {
	const rloc mle.RLOC16 = 0x0401
	late, later := epoch.Add(time.Minute), epoch.Add(2*time.Minute)
	voucher := func(at time.Time) Voucher { return Voucher{ieee802154.ExtAddr{1}, rloc, 0, 5, at} }
	for _, tt := range []struct {
		name  string
		set   func(p *Peers)
		at    time.Time
		taken bool
	}{
		{"nothing was forgotten", func(*Peers) {}, epoch, true},
		{"older than what was forgotten", func(p *Peers) { p.Clear(late) }, late, false},
		{"younger than what was forgotten", func(p *Peers) { p.Clear(late) }, later, true},
		{"a peer at that place was forgotten", func(p *Peers) {
			p.Vouch(epoch, Voucher{ieee802154.ExtAddr{2}, rloc, 0, 1, epoch})
			p.Forget(late, 1)
		}, late, false},
		{"another peer was forgotten", func(p *Peers) {
			p.Vouch(epoch, Voucher{ieee802154.ExtAddr{2}, 0x0801, 0, 1, epoch})
			p.Forget(late, 2)
		}, epoch, true},
		{"older than a frame from there", func(p *Peers) { p.Dropped(late, rloc) }, late, false},
		{"younger than a frame from there", func(p *Peers) { p.Dropped(late, rloc) }, later, true},
		{"a frame from elsewhere", func(p *Peers) { p.Dropped(late, rloc+1) }, epoch, true},
		{"more frames than are kept", func(p *Peers) {
			for i := range maxDrops + 1 {
				p.Dropped(late, mle.RLOC16(0x1000+i))
			}
		}, late, false},
	} {
		var p Peers
		if tt.set(&p); p.Vouch(later, voucher(tt.at)) != tt.taken || (p.ByRLOC16(rloc) != nil) != tt.taken {
			t.Errorf("%s: %v", tt.name, p.ByRLOC16(rloc))
		}
	}
}

// An end device takes frames of a router that it listens to only if it has learnt its frame counter since it has its address.
func TestBesideRouter(t *testing.T) {
	for _, after := range []bool{true, false} {
		r := newRouter(t)
		r.View = AsListener
		r.Peers.Clear(epoch)
		n := r.link(left, 3)
		if after {
			n.Opened = epoch.Add(time.Second)
		}
		if got := r.Beside(ShortAddr(left.RLOC16())); (got != nil) != after {
			t.Errorf("asked after that: %v, beside: %v", after, got)
		}
	}
}

// The latest that is known of a child's frame counter is what it has said, or its last frame.
func TestKnown(t *testing.T) {
	early, late := epoch, epoch.Add(time.Minute)
	for _, tt := range []struct {
		name  string
		frame Known
		said  Known
		want  Known
	}{
		{"a frame alone", Known{0, 5, early}, Known{}, Known{0, 5, early}},
		{"said later", Known{0, 5, early}, Known{0, 9, late}, Known{0, 9, late}},
		{"said before", Known{0, 9, late}, Known{0, 5, early}, Known{0, 9, late}},
		{"said of another key", Known{1, 5, early}, Known{0, 9, late}, Known{1, 5, early}},
		{"said later, and less", Known{0, 9, early}, Known{0, 5, late}, Known{0, 9, late}},
	} {
		var c Child
		c.MAC, c.LastFrame, c.Said = keys.ReplayFrom(tt.frame.Key, tt.frame.Counter), tt.frame.At, tt.said
		if got := c.Known(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
