package thread_test

import (
	"errors"
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
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// scan scans, and returns what was found, and on which channels.
func scan(t *testing.T, m *meshtest.Mesh, n *meshtest.Node, o thread.ScanOptions) (results []thread.ScanResult, channels meshcop.ChannelMask) {
	t.Helper()
	over := false
	err := n.Scan(m.Sim.Now(), o, func(r thread.ScanResult) { results = append(results, r) }, func(c meshcop.ChannelMask) {
		over, channels = true, c
	})
	if err != nil {
		t.Fatal(err)
	}
	n.Antenna.Touch()
	m.Until(20*time.Minute, "end of the scan", func() bool { return over })
	return results, channels
}

// scanAirs are those on which scans must work.
func scanAirs() map[string]struct {
	opt    lorasim.Options
	change func(*thread.Config)
} {
	return map[string]struct {
		opt    lorasim.Options
		change func(*thread.Config)
	}{
		"IEEE 802.15.4": {ideal(), stock}, "LoRa": {lorasim.Options{Seed: 1}, nil},
	}
}

// TestThread1_1_8_4_4_Discovery: who has no network finds those around it, by beacons and by MLE Discovery, on the one channel that a radio
// has; who is a child answers to Discovery, but sends no beacon.
func TestThread1_1_8_4_4_Discovery(t *testing.T) {
	for name, air := range scanAirs() {
		t.Run(name, func(t *testing.T) {
			m := meshtest.New(t, air.opt)
			change := func(c *thread.Config) {
				if air.change != nil {
					air.change(c)
				}
				c.NetworkName, c.ExtPANID = "here", [8]byte{1, 2, 3}
				c.EndDevice = c.ExtAddr == meshtest.ExtAddr(2)
			}
			leader := m.Add(1, lorasim.Position{}, change)
			child := m.Add(1, lorasim.Position{X: 10}, change)
			m.StartEach(time.Minute)
			m.Until(5*time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
			stranger := m.Add(1, lorasim.Position{X: 20}, func(c *thread.Config) {
				change(c)
				c.NetworkKey, c.PANID, c.ExtPANID = [16]byte{9}, 0x4321, [8]byte{9}
			})
			if err := stranger.Scan(m.Sim.Now(), thread.ScanOptions{Kind: thread.ScanDiscovery}, nil, nil); !errors.Is(err, thread.ErrState) {
				t.Error("a discovery without an address:", err)
			}
			for _, kind := range []thread.ScanKind{thread.ScanActive, thread.ScanDiscovery} {
				if kind == thread.ScanDiscovery {
					stranger.Console().InterfaceUp(m.Sim.Now())
				}
				results, channels := scan(t, m, stranger, thread.ScanOptions{Kind: kind})
				slices.SortFunc(results, func(a, b thread.ScanResult) int { return int(a.ExtAddr[7]) - int(b.ExtAddr[7]) })
				want := 1 + int(kind)
				if len(results) != want || channels != 1<<thread.DefaultChannel {
					t.Fatalf("kind %d: %+v on %x", kind, results, channels)
				}
				if r := results[0]; r.ExtAddr != leader.ExtAddr() || r.PANID != thread.DefaultPANID || r.NetworkName != "here" || r.ExtPANID != [8]byte{1, 2, 3} ||
					r.Channel != thread.DefaultChannel || r.RSSI > 0 || r.RSSI < -120 || r.Version != meshcop.BeaconVersion || r.Joinable {
					t.Errorf("kind %d: %+v", kind, r)
				}
			}
			for _, o := range []thread.ScanOptions{
				{Kind: thread.ScanDiscovery, Joiner: true}, {Kind: thread.ScanDiscovery, Others: [8]byte{1, 2, 3}},
			} {
				if results, _ := scan(t, m, stranger, o); len(results) > 0 {
					t.Errorf("%+v: %+v", o, results)
				}
			}
			// The power is the host's to measure; here nobody does.
			if results, channels := scan(t, m, stranger, thread.ScanOptions{Kind: thread.ScanEnergy}); len(results) > 0 || channels != 1<<thread.DefaultChannel {
				t.Errorf("%+v on %x", results, channels)
			}
			if stranger.Role() != thread.RoleDisabled || stranger.Counters().RxFrames == 0 {
				t.Error(stranger.Role())
			}
		})
	}
}

// TestSecurityPolicy_Scans: a network whose security policy says so does not tell its name in beacons, nor that it can be commissioned natively
// in Discovery (Thread 1.1 §8.10.1.15).
func TestSecurityPolicy_Scans(t *testing.T) {
	m := steady(t, ideal(), 1, stock)
	leader := m.Nodes[0]
	stranger := m.Add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); c.NetworkKey = [16]byte{9} })
	stranger.Console().InterfaceUp(m.Sim.Now())
	for k, flags := range []meshcop.SecurityFlags{0xf8, meshcop.SecurityNativeCommissioning, meshcop.SecurityBeacons, 0} {
		d, _ := leader.Console().Dataset(false)
		d.ActiveTimestamp.Seconds, d.SecurityPolicy.Flags = uint64(k+1), flags
		if err := leader.Console().SetDataset(m.Sim.Now(), false, d); err != nil {
			t.Fatal(err)
		}
		m.Run(time.Minute)
		beacons, _ := scan(t, m, stranger, thread.ScanOptions{Kind: thread.ScanActive})
		answers, _ := scan(t, m, stranger, thread.ScanOptions{Kind: thread.ScanDiscovery})
		if len(beacons) != 1 || len(answers) != 1 {
			t.Fatalf("%02x: %+v, %+v", uint8(flags), beacons, answers)
		}
		if named := beacons[0].NetworkName != ""; named != (flags&meshcop.SecurityBeacons != 0) {
			t.Errorf("%02x: %+v", uint8(flags), beacons[0])
		}
		if r := answers[0]; r.NetworkName == "" || r.NativeCommissioner != (flags&meshcop.SecurityNativeCommissioning != 0) {
			t.Errorf("%02x: %+v", uint8(flags), r)
		}
	}
}

// TestScanOfMember: a router scans, and passes datagrams on meanwhile.
func TestScanOfMember(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	n := m.Nodes[1]
	over := false
	err := n.Scan(m.Sim.Now(), thread.ScanOptions{Duration: 10 * time.Second}, func(thread.ScanResult) {}, func(meshcop.ChannelMask) { over = true })
	if err != nil {
		t.Fatal(err)
	}
	n.Antenna.Touch()
	if err := n.Scan(m.Sim.Now(), thread.ScanOptions{}, nil, nil); !errors.Is(err, thread.ErrBusy) {
		t.Error("two scans at a time:", err)
	}
	if _, ok := m.Nodes[0].Ping(m.Nodes[2].MeshLocalEID(), 100, 5*time.Second); !ok || over {
		t.Error("no reply during a scan", ok, over)
	}
	n.Stop()
	if !over {
		t.Error("the scan outlives the network")
	}
	for _, o := range []thread.ScanOptions{{Kind: 9}, {Duration: -1}, {Duration: time.Hour}} {
		if err := n.Scan(m.Sim.Now(), o, nil, nil); !errors.Is(err, thread.ErrArgument) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestEnergyScan: the host is asked once for each channel, and its answer handed on.
func TestEnergyScan(t *testing.T) {
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); c.MultiChannel = true })
	var got []string
	var scanned meshcop.ChannelMask
	now := m.Sim.Now()
	o := thread.ScanOptions{Kind: thread.ScanEnergy, Channels: 1<<11 | 1<<20 | 1<<30, Duration: time.Second}
	if err := n.Scan(now, o, func(r thread.ScanResult) { got = append(got, fmt.Sprint(r.Channel, " ", r.RSSI)) }, func(c meshcop.ChannelMask) { scanned = c }); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if d, ok := n.PollEnergyScan(); !ok || d != time.Second {
			t.Fatal(d, ok)
		}
		if _, ok := n.PollEnergyScan(); ok {
			t.Fatal("asked twice")
		}
		now = now.Add(time.Second)
		n.HandleEnergyScanDone(now, -int8(n.RadioChannel()))
	}
	n.HandleEnergyScanDone(now, 1) // of nothing
	if !slices.Equal(got, []string{"11 -11", "20 -20"}) || scanned != 1<<11|1<<20 || n.RadioChannel() != thread.DefaultChannel {
		t.Error(got, scanned, n.RadioChannel())
	}
	// No channel at all: it is over at once.
	over := false
	if err := n.Scan(now, thread.ScanOptions{Channels: 1}, nil, func(meshcop.ChannelMask) { over = true }); err != nil || !over {
		t.Error(err, over)
	}
}

// TestThread1_1_8_7_Survey: a commissioner has nodes look around. On a radio with one channel the answer is about
// that one, whichever was asked for.
func TestThread1_1_8_7_Survey(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	a, b := m.Nodes[0], m.Nodes[1]
	other := m.Add(1, lorasim.Position{X: 1}, func(c *thread.Config) { stock(c); c.PANID, c.NetworkKey = 0xdead, [16]byte{7} })
	other.Start()
	m.Until(time.Minute, "another network", func() bool { return other.Role() == thread.RoleLeader })
	var conflicts, reports []meshcop.Survey
	a.SetCommissionerSession(7)
	to := b.RLOC16().Addr(thread.DefaultMeshLocalPrefix)
	take := func(list *[]meshcop.Survey) func(netip.Addr, meshcop.Survey) {
		return func(from netip.Addr, s meshcop.Survey) {
			if from != to {
				t.Error("from", from)
			}
			*list = append(*list, s)
		}
	}
	for _, dst := range []netip.Addr{to, netip.MustParseAddr("ff33:40:fdde:ad00:beef::1")} {
		conflicts, reports = nil, nil
		for _, pan := range []ieee802154.PANID{0xdead, 0x7777} {
			if err := a.OrderPANIDQuery(m.Sim.Now(), dst, meshcop.Survey{PANID: pan, Channels: 1 << 20}, take(&conflicts)); err != nil {
				t.Fatal(err)
			}
			a.Antenna.Touch()
			m.Run(10 * time.Second)
		}
		if len(conflicts) != 1 || conflicts[0].PANID != 0xdead || conflicts[0].Channels != 1<<thread.DefaultChannel {
			t.Errorf("%v: conflicts %+v", dst, conflicts)
		}
		s := meshcop.Survey{Channels: 1<<20 | 1<<21, Count: 2, Period: time.Second, Duration: 100 * time.Millisecond}
		if err := a.OrderEnergyScan(m.Sim.Now(), dst, s, take(&reports)); err != nil {
			t.Fatal(err)
		}
		a.Antenna.Touch()
		measure(m, b, 20*time.Second)
		if len(reports) != 1 || reports[0].Channels != 1<<thread.DefaultChannel || !slices.Equal(reports[0].Energy, []int8{-77, -77}) {
			t.Errorf("%v: reports %+v", dst, reports)
		}
		before := b.Counters().TxMLE
		if err := a.OrderAnnounce(m.Sim.Now(), dst, meshcop.Survey{Channels: 1<<20 | 1<<21, Count: 3, Period: 100 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		a.Antenna.Touch()
		m.Run(2 * time.Second)
		if sent := b.Counters().TxMLE - before; sent < 3 || sent > 5 {
			t.Errorf("%v: %d Announces", dst, sent)
		}
	}
	if err := a.OrderAnnounce(m.Sim.Now(), netip.MustParseAddr("2001:db8::1"), meshcop.Survey{}); !errors.Is(err, thread.ErrArgument) {
		t.Error(err)
	}
	if err := b.OrderEnergyScan(m.Sim.Now(), to, meshcop.Survey{}, nil); !errors.Is(err, thread.ErrState) {
		t.Error("one who is no commissioner:", err)
	}
}

// measure plays the radio of a node on which the power is always -77 dBm.
func measure(m *meshtest.Mesh, n *meshtest.Node, limit time.Duration) {
	for end := m.Sim.Now().Add(limit); m.Sim.Now().Before(end); m.Run(50 * time.Millisecond) {
		if d, ok := n.PollEnergyScan(); ok {
			m.Run(d)
			n.HandleEnergyScanDone(m.Sim.Now(), -77)
			n.Antenna.Touch()
		}
	}
}

// TestScansAreBounded: who asks for beacons or for Discovery all the time, under ever new names, has nodes answer for half a percent of the time.
func TestScansAreBounded(t *testing.T) {
	discovery := tlv.Append(mle.AppendCommand(nil, mle.DiscoveryRequest), mle.TLVThreadDiscovery,
		meshcop.AppendDiscoveryRequest(nil, meshcop.DiscoveryRequest{Version: 2}))
	for _, what := range []string{"Beacon Requests", "Discovery Requests"} {
		t.Run(what, func(t *testing.T) {
			m := meshtest.New(t, lorasim.Options{Seed: 1})
			n := m.Add(1, lorasim.Position{}, nil)
			n.Start()
			m.Until(5*time.Minute, "leader", func() bool { return n.Role() == thread.RoleLeader })
			x := m.AddIntruder(lorasim.Position{X: 10})
			before := n.Counters()
			i := 0
			x.Every(2*time.Second, func() {
				i++
				if what == "Beacon Requests" {
					f := ieee802154.Frame{Type: ieee802154.Command, Command: ieee802154.BeaconRequest, DstPAN: ieee802154.BroadcastPAN,
						Dst: ieee802154.ShortAddress(ieee802154.BroadcastAddr), Seq: uint8(i)}
					psdu := must(f.AppendBinary(nil))
					x.Transmit(psdu)
					return
				}
				x.Transmit(unsecuredMLE(t, ieee802154.ExtAddr{9, 6: byte(i >> 8), 7: byte(i)}, discovery))
			})
			m.Run(time.Hour)
			after := n.Counters()
			answers := after.TxFrames - before.TxFrames
			if refused := after.ScansRefused - before.ScansRefused; refused < 1000 || answers < 10 || answers > 250 {
				t.Errorf("%d frames sent, %d requests refused of %d", answers, refused, i)
			}
		})
	}
}

// unsecuredMLE is a frame to all routers with an MLE message that nothing secures.
func unsecuredMLE(t *testing.T, from ieee802154.ExtAddr, message []byte) []byte {
	t.Helper()
	f := ieee802154.Frame{
		Type: ieee802154.Data, Version: ieee802154.Version2006, DstPAN: ieee802154.BroadcastPAN, SrcPAN: 0x4321,
		Dst: ieee802154.ShortAddress(ieee802154.BroadcastAddr), Src: ieee802154.ExtAddress(from),
	}
	datagram := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: mle.HopLimit, Src: meshtest.LinkLocal(from), Dst: ip6.LinkLocalAllRouters},
		mle.UDPPort, mle.UDPPort, append([]byte{byte(mle.SuiteNone)}, message...)))
	var err error
	if f.Payload, _, err = (lowpan.Packet{Datagram: datagram, Src: f.Src, Dst: f.Dst}).AppendFrame(nil, 0, 100, new(lowpan.Contexts)); err != nil {
		t.Fatal(err)
	}
	return must(f.AppendBinary(nil))
}
