package thread_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
)

// A child's addresses and a parent's places, Thread 1.1 §4.7. Held elsewhere:
//
//   - attaching, and how a child keeps its place: spec_attach_test.go

// TestChildIDRequest_OneFrame: it needs no fragments, whatever a minimal end device has to say: addresses, the timestamps of two datasets, and on
// LoRa what this engine adds. A parent cannot put fragments together of who is not yet its child.
func TestChildIDRequest_OneFrame(t *testing.T) {
	for count := range 5 {
		var child *meshtest.Node
		fragments := 0
		m := meshtest.New(t, lorasim.Options{Seed: 1, Ideal: true, Watch: func(tr lorasim.Transmission) {
			// Of MLE's messages the MAC secures those alone that come in fragments.
			f, err := ieee802154.ParseFrame(tr.Packet)
			if err == nil && tr.From == child.Antenna.ID() && child.Role() == thread.RoleDetached && f.Security.Level != ieee802154.SecurityNone {
				fragments++
			}
		}})
		parent := m.Add(1, lorasim.Position{}, nil)
		child = m.Add(1, lorasim.Position{X: 1}, func(c *thread.Config) { c.Mode = thread.ModeMinimalEndDevice })
		child.Console().InterfaceUp(m.Sim.Now())
		for i := range count {
			if err := child.Console().AddAddress(netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i+1))); err != nil {
				t.Fatal(err)
			}
		}
		parent.Start()
		m.Until(5*time.Minute, "leader", func() bool { return parent.Role() == thread.RoleLeader })
		for _, pending := range []bool{false, true} {
			d, _ := parent.Console().Dataset(false)
			d.ActiveTimestamp.Seconds += 2
			if pending {
				d.PendingTimestamp, d.DelayTimer = d.ActiveTimestamp, 20*time.Hour
				d.Present |= meshcop.HasPendingTimestamp | meshcop.HasDelayTimer
			}
			if err := parent.Console().SetDataset(m.Sim.Now(), pending, d); err != nil {
				t.Fatal(err)
			}
			m.Run(time.Minute)
		}
		child.Start()
		for range 2 {
			m.Until(5*time.Minute, "attached", func() bool { return child.Role() == thread.RoleChild })
			m.Run(time.Minute)
			if _, ok := child.Console().Dataset(true); !ok {
				t.Fatal("the child knows of no pending dataset: the test is wrong")
			}
			if err := child.Console().BecomeDetached(m.Sim.Now()); err != nil {
				t.Fatal(err)
			}
			child.Antenna.Touch()
		}
		if fragments > 0 {
			t.Errorf("%d added: %d fragments sent without a parent", count, fragments)
		}
	}
}

// TestChildIDRequest_Addresses: a minimal end device attaches with as many addresses as it may have. What does not fit into the frame of the
// Child ID Request follows in a Child Update Request.
func TestChildIDRequest_Addresses(t *testing.T) {
	var added []netip.Addr
	for _, s := range []string{"2001:db8::1", "2001:db8::2", "fd00::3", "fd00::4"} {
		added = append(added, netip.MustParseAddr(s))
	}
	for count := range len(added) + 1 {
		m := meshtest.New(t, ideal())
		parent := m.Add(1, lorasim.Position{}, stock)
		child := m.Add(1, lorasim.Position{X: 1}, minimal)
		ear := m.AddPeer(9, lorasim.Position{X: 0.5})
		parent.Start()
		m.Until(time.Minute, "leader", func() bool { return parent.Role() == thread.RoleLeader })
		add := func() {
			child.Console().InterfaceUp(m.Sim.Now())
			for _, a := range added[:count] {
				if err := child.Console().AddAddress(a); err != nil {
					t.Fatal(err)
				}
			}
		}
		attached := func(what string) {
			t.Helper()
			m.Until(2*time.Minute, what, func() bool { return child.Role() == thread.RoleChild })
			m.Run(5 * time.Second)
			for _, a := range append([]netip.Addr{child.MeshLocalEID()}, added[:count]...) {
				if _, ok := parent.Ping(a, 8, time.Second); !ok {
					t.Errorf("%d added, %s: no reply from %v", count, what, a)
				}
			}
			if got := childrenOf(parent)[0].Addresses; len(got) != count+1 {
				t.Errorf("%d added, %s: the parent knows %v", count, what, got)
			}
		}
		add()
		child.Start()
		attached("first attach")
		requests := ear.Find(mle.ChildIDRequest, child.ExtAddr())
		if len(requests) != 1 {
			t.Fatalf("%d added: %d Child ID Requests", count, len(requests))
		}
		first := slices.Collect(must(requests[0].AddressRegistration()).All())
		if want := min(count+1, 2); len(first) != want {
			t.Errorf("%d added: %d addresses in the first request, want %d", count, len(first), want)
		}
		if got := len(ear.Find(mle.ChildUpdateRequest, child.ExtAddr())) > 0; got != (count > 1) {
			t.Errorf("%d added: a Child Update Request: %v", count, got)
		}

		parent.Restart()
		m.Until(2*time.Minute, "leader again", func() bool { return parent.Role() == thread.RoleLeader })
		m.Run(time.Minute)
		attached("after the parent's restart")
	}
}

// TestParentRequest_Mode: who cannot be is not courted: a full Thread device that sleeps.
func TestParentRequest_Mode(t *testing.T) {
	for mode, want := range map[mle.Mode]int{
		thread.ModeFullThreadDevice: 1, thread.ModeMinimalEndDevice: 1, mle.ModeRxOnWhenIdle: 1, 0: 1, mle.ModeSecureDataRequests: 1,
		thread.ModeSleepyEndDevice: 1, thread.ModeFullThreadDevice &^ mle.ModeRxOnWhenIdle: 0,
	} {
		m, n, p := leading(t, nil)
		request := meshtest.ParentRequest(meshtest.Challenge(1), mle.ScanRouters)
		p.SendMLE(ip6.LinkLocalAllRouters, replaced(request, mle.TLVMode, []byte{byte(mode)}))
		m.Run(2 * time.Second)
		if got := len(p.Answers(mle.ParentResponse, n.ExtAddr())); got != want {
			t.Errorf("mode %v: %d Parent Responses, want %d", mode, got, want)
		}
		if got := len(slices.Collect(n.Console().Neighbors.Children.All())); got != want {
			t.Errorf("mode %v: %d nodes take places", mode, got)
		}
	}

	// Nor is who says so later.
	m, n, p := leading(t, nil)
	p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(1), mle.ScanRouters))
	response := p.Await(mle.ParentResponse, n.ExtAddr(), 5*time.Second)
	p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), p.ChildIDRequest(response, mle.ModeFullThreadDevice, time.Minute))
	m.Run(2 * time.Second)
	if len(childrenOf(n)) != 0 {
		t.Error("a full Thread device that sleeps is a child")
	}
}
