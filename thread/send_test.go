package thread_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// TestHandlePacketErrors: each error says whether it passes.
func TestHandlePacketErrors(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	n, peer := m.Nodes[0], m.Nodes[1].MeshLocalEID()
	sized := func(dst string, size int) []byte {
		h := ip6.Header{HopLimit: 64, Src: n.MeshLocalEID(), Dst: netip.MustParseAddr(dst)}
		return must(ip6.AppendUDP(nil, h, 1, 2, make([]byte, size-ip6.HeaderSize-ip6.UDPHeaderSize)))
	}
	for _, tt := range []struct {
		name   string
		packet []byte
		want   error
	}{
		{"longest", sized(peer.String(), ip6.MinMTU), nil},
		{"too long", sized(peer.String(), ip6.MinMTU+1), thread.ErrTooLong},
		{"longest on the link", sized("ff02::1", ip6.MinMTU), nil},
		{"longest multicast", sized("ff03::1", ip6.MinMTU-8), nil},
		{"multicast too long", sized("ff03::1", ip6.MinMTU-7), thread.ErrTooLong},
		{"longest wide multicast", sized("ff05::1", ip6.MinMTU-48), nil},
		{"wide multicast too long", sized("ff05::1", ip6.MinMTU-47), thread.ErrTooLong},
		{"not in the mesh", sized("2001:db8::1", 100), thread.ErrNoRoute},
		{"no such router", sized(rlocAddr(0xf000).String(), 100), thread.ErrNoRoute},
		{"no such child", sized(rlocAddr(n.RLOC16()+7).String(), 100), thread.ErrNoRoute},
		{"no locator", sized(rlocAddr(mle.RLOC16(0xfc10)).String(), 100), thread.ErrNoRoute},
		{"no datagram", []byte{0x60, 1, 2}, thread.ErrPacket},
		{"another's source", udp(m.Nodes[1], n.MeshLocalEID(), "x"), thread.ErrPacket},
	} {
		if err := n.HandlePacket(m.Sim.Now(), tt.packet); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		n.Antenna.Touch()
		m.Run(time.Second)
	}

	// An address that nobody has: asked for once, refused until it may be asked for again.
	nobody := ip6.WithInterfaceID(thread.DefaultMeshLocalPrefix, ip6.InterfaceID{1, 2, 3})
	for _, tt := range []struct {
		after time.Duration
		want  error
	}{{0, nil}, {time.Second, nil}, {5 * time.Second, thread.ErrNoRoute}, {15 * time.Second, nil}} {
		m.Run(tt.after)
		if err := n.HandlePacket(m.Sim.Now(), udp(n, nobody, "hello?")); !errors.Is(err, tt.want) {
			t.Errorf("to nobody, %v later: %v, want %v", tt.after, err, tt.want)
		}
		n.Antenna.Touch()
	}
}

// TestAcceptedDatagramsWait: while an address is looked up as many datagrams are taken as have a place to wait. Each of them arrives, and
// for all others the host hears that it should wait.
func TestAcceptedDatagramsWait(t *testing.T) {
	for name, opt := range map[string]lorasim.Options{"IEEE802154": ideal(), "LoRa": {Seed: 1, Ideal: true}} {
		t.Run(name, func(t *testing.T) {
			change := stock
			if name == "LoRa" {
				change = nil
			}
			m := meshtest.Chain(t, opt, 2, change)
			m.StartOneByOne()
			m.Until(10*time.Minute, "one mesh", m.OneMesh)
			m.Run(time.Minute)
			a, b := m.Nodes[0], m.Nodes[1]
			var taken []string
			for i := range 64 {
				text := fmt.Sprint(i)
				switch err := a.HandlePacket(m.Sim.Now(), udp(a, b.MeshLocalEID(), text)); {
				case err == nil:
					taken = append(taken, text)
				case !errors.Is(err, thread.ErrQueueFull):
					t.Fatal(err)
				}
			}
			a.Antenna.Touch()
			if len(taken) < 16 {
				t.Errorf("%d taken", len(taken))
			}
			var got []string
			m.Until(5*time.Minute, "all", func() bool {
				more, _ := received(b)
				got = append(got, more...)
				return len(got) == len(taken)
			})
			if fmt.Sprint(got) != fmt.Sprint(taken) {
				t.Errorf("received %v of %v", got, taken)
			}
			if err := a.HandlePacket(m.Sim.Now(), udp(a, b.MeshLocalEID(), "x")); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}
