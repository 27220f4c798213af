package thread_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// sleepyOnLoRa is a chain on LoRa at a spreading factor: routers in a row, and behind the last a node that sleeps and polls every 30 seconds.
func sleepyOnLoRa(t *testing.T, sf lora.SpreadingFactor, routers int, seed uint64) (m *meshtest.Mesh, child *meshtest.Node) {
	t.Helper()
	cfg := lora.Config{SpreadingFactor: sf}
	m = meshtest.Chain(t, lorasim.Options{Seed: seed, Config: cfg}, 0, nil)
	add := func(x int, change func(*thread.Config)) *meshtest.Node {
		return m.Add(seed, lorasim.Position{X: float64(x)}, func(c *thread.Config) {
			c.Timing = thread.TimingFor(cfg.Airtime)
			if change != nil {
				change(c)
			}
		})
	}
	for i := range routers {
		n := add(i, nil)
		n.Start()
		m.Until(time.Hour, "router", func() bool { return n.Role() >= thread.RoleRouter })
	}
	m.Until(time.Hour, "one mesh", m.OneMesh)
	child = add(routers, func(c *thread.Config) {
		c.Mode, c.PollPeriod = thread.ModeSleepyEndDevice, 30*time.Second
	})
	child.Start()
	m.Until(time.Hour, "child", func() bool { return child.Role() == thread.RoleChild })
	m.Run(2 * time.Minute)
	return m, child
}

// A node that sleeps and polls every 30 seconds behind a parent two hops from another node sends 50 bytes to that and gets an answer within
// seconds; what others send it waits for its poll.
func TestSleepyOnLoRa(t *testing.T) {
	for _, sf := range []lora.SpreadingFactor{lora.SF7, lora.SF10} {
		t.Run(fmt.Sprint(sf), func(t *testing.T) {
			m, child := sleepyOnLoRa(t, sf, 3, 1)
			far, airtime := m.Nodes[0], child.Antenna.Config().Airtime(127)
			var out, in []time.Duration
			lost := 0
			for range 40 {
				child.ExpectAnswer(m.Sim.Now(), 0)
				rtt, ok := child.Ping(far.MeshLocalEID(), 50, time.Minute)
				if !ok {
					lost++
				}
				out = append(out, rtt)
				m.Run(20 * time.Second)
				if rtt, ok = far.Ping(child.MeshLocalEID(), 50, time.Minute+10*airtime); !ok {
					lost++
				}
				in = append(in, rtt)
				m.Run(47 * time.Second)
			}
			slices.Sort(out)
			slices.Sort(in)
			t.Logf("airtime of the longest frame %v; out and back: median %v, longest %v; in and back: median %v, longest %v; %d of 80 lost",
				airtime, out[20], out[39], in[20], in[39], lost)
			if lost > 2 || out[20] > 20*airtime || in[20] > 30*time.Second+20*airtime {
				t.Errorf("too slow, or too many lost\n%s", m)
			}
			if child.Role() != thread.RoleChild || len(childrenOf(m.Nodes[2])) != 1 {
				t.Errorf("no child any more\n%s", m)
			}
		})
	}
}

// Somebody who answers each poll with a forged acknowledgement that promises a frame, and who replays polls to the parent, costs the child one
// wait a period and four more after each frame that its parent has for it, and the parent a few acknowledgements; neither loses the other,
// and datagrams get through.
func TestSleepyHostileOnLoRa(t *testing.T) {
	m, child := sleepyOnLoRa(t, lora.SF7, 2, 1)
	far, parent := m.Nodes[0], m.Nodes[1]
	x := m.AddIntruder(lorasim.Position{X: 2})
	m.Sim.SetLink(x.Antenna, child.Antenna, -60) // above its parent
	m.Sim.SetLink(x.Antenna, parent.Antenna, -100)
	m.Sim.CutLink(parent.Antenna, x.Antenna)
	heard := 0
	var polls [][]byte
	x.Every(5*time.Millisecond, func() {
		for ; heard < len(x.Tape); heard++ {
			f, err := ieee802154.ParseFrame(x.Tape[heard].PSDU)
			if err == nil && f.Type == ieee802154.Command {
				x.Transmit(ieee802154.AppendAck(nil, f.Seq, true))
				polls = append(polls, x.Tape[heard].PSDU)
			}
		}
	})
	m.Run(time.Minute)
	before, counters := child.Antenna.Activity(), parent.Counters()
	m.Sim.SetLinkFrom(x.Antenna, parent.Antenna, -80)
	for i := range 360 {
		m.Run(10 * time.Second)
		x.Transmit(polls[len(polls)-1-i%2])
	}
	a, c := child.Antenna.Activity(), parent.Counters()
	t.Logf("in an hour the child listens for %v; the parent sends %d acknowledgements, withholds %d, and drops %d repetitions",
		a.Receiving-before.Receiving, c.TxAcks-counters.TxAcks, c.AcksWithheld-counters.AcksWithheld, c.RxDuplicate-counters.RxDuplicate)
	if a.Receiving-before.Receiving > 9*time.Minute {
		t.Error("the child is kept awake")
	}
	if acks := c.TxAcks - counters.TxAcks; acks > 500 || c.RxDuplicate == counters.RxDuplicate {
		t.Errorf("%d acknowledgements", acks)
	}
	if child.Role() != thread.RoleChild || len(childrenOf(parent)) != 1 {
		t.Errorf("no child any more\n%s", m)
	}
	lost := 0
	for range 10 {
		if _, ok := far.Ping(child.MeshLocalEID(), 50, time.Minute); !ok {
			lost++
		}
	}
	if lost > 2 {
		t.Errorf("%d of 10 pings lost\n%s", lost, m)
	}
}

// A node that sleeps has its radio on for as long as its polls take, whatever the channel: their number times the airtime of a request and an
// acknowledgement, and what there is between the two.
func TestSleepyRadioTime(t *testing.T) {
	for _, sf := range []lora.SpreadingFactor{lora.SF7, lora.SF8, lora.SF9, lora.SF10, lora.SF11, lora.SF12} {
		t.Run(fmt.Sprint(sf), func(t *testing.T) {
			m, child := sleepyOnLoRa(t, sf, 1, 1)
			m.Run(time.Minute)
			before, polls := child.Antenna.Activity(), child.Counters().TxPolls
			m.Run(2 * time.Hour)
			a := child.Antenna.Activity()
			n := time.Duration(child.Counters().TxPolls - polls)
			const request, acknowledgement = 22, 5 // bytes
			cfg := child.Antenna.Config()
			sent, heard := (a.Transmitting-before.Transmitting)/n, (a.Receiving-before.Receiving)/n
			t.Logf("%d polls, each %v sending and %v listening; %.2f µAh; in a day at 30 s %.2f mAh, always listening %.0f mAh", n, sent, heard,
				1000*(a.Charge(14)-before.Charge(14))/float64(n), 12*(a.Charge(14)-before.Charge(14)), 24*lora.ReceiveCurrent)
			if ideal := cfg.Airtime(request); sent < ideal || sent > ideal*5/4 {
				t.Errorf("sending for %v, want about %v", sent, ideal)
			}
			if ideal := cfg.Airtime(acknowledgement); heard < ideal || heard > 2*ideal {
				t.Errorf("listening for %v, want about %v", heard, ideal)
			}
		})
	}
}
