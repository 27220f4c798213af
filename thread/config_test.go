package thread_test

import (
	"bytes"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// TestConfig refuses what cannot work, with the name of the field.
func TestConfig(t *testing.T) {
	for field, change := range map[string]func(*thread.Config){
		"Rand":            func(c *thread.Config) { c.Rand = nil },
		"ExtAddr":         func(c *thread.Config) { c.ExtAddr = ieee802154.ExtAddr{} },
		"NetworkName":     func(c *thread.Config) { c.NetworkName = strings.Repeat("x", 17) },
		"MeshLocalPrefix": func(c *thread.Config) { c.MeshLocalPrefix = netip.MustParsePrefix("2001:db8::/64") },
		"Channel":         func(c *thread.Config) { c.Channel = 27 },
		"Mode":            func(c *thread.Config) { c.Mode = mle.ModeFullThreadDevice },
		"MaxChildren":     func(c *thread.Config) { c.MaxChildren = 512 },
		"PANID":           func(c *thread.Config) { c.PANID = ieee802154.BroadcastPAN },

		"RouterUpgradeThreshold":   func(c *thread.Config) { c.RouterUpgradeThreshold = -1 },
		"RouterDowngradeThreshold": func(c *thread.Config) { c.RouterDowngradeThreshold = 256 },

		"Timing.MinBE":             func(c *thread.Config) { c.Timing.MinBE = -1 },
		"PollPeriod":               func(c *thread.Config) { c.PollPeriod = time.Hour },
		"Timing.MaxBE":             func(c *thread.Config) { c.Timing.MaxBE = 64 },
		"Timing.MaxFrameRetries":   func(c *thread.Config) { c.Timing.MaxFrameRetries = -1 },
		"Timing.KeepAliveAttempts": func(c *thread.Config) { c.Timing.KeepAliveAttempts = 0 },
		"Timing.AckWait":           func(c *thread.Config) { c.Timing.AckWait = 0 },
		"Timing.RetryJitter":       func(c *thread.Config) { c.Timing.RetryJitter = -1 },
		"Timing.LinkRequest":       func(c *thread.Config) { c.Timing.LinkRequest = 1 << 62 },
		"Timing.AdvertiseMin":      func(c *thread.Config) { c.Timing.AdvertiseMin = time.Hour },
		"Timing.KeySwitchGuard":    func(c *thread.Config) { c.Timing.KeySwitchGuard = 1000 * time.Hour },
	} {
		cfg := thread.Config{ExtAddr: meshtest.ExtAddr(1), Rand: meshtest.Rand(1, 1), Timing: thread.TimingPymesh()}
		if _, err := thread.New(cfg); err != nil {
			t.Fatal(err)
		}
		change(&cfg)
		if _, err := thread.New(cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// TestTimingValidate finds each field that is negative, and takes all timings that the package makes.
func TestTimingValidate(t *testing.T) {
	for frame := time.Millisecond; frame < 10*time.Second; frame *= 2 {
		timing := thread.TimingFor(func(int) time.Duration { return frame })
		if err := timing.Validate(); err != nil {
			t.Errorf("of a frame of %v: %v", frame, err)
		}
	}
	for i := range reflect.TypeFor[thread.Timing]().NumField() {
		timing := thread.TimingPymesh()
		name, field := reflect.TypeFor[thread.Timing]().Field(i).Name, reflect.ValueOf(&timing).Elem().Field(i)
		switch {
		case field.Kind() == reflect.Bool:
			continue // is right in any case
		case name == "ReceiveSensitivity":
			field.SetInt(1) // dBm
		case field.Kind() == reflect.Array:
			field.Index(0).SetInt(-1)
		default:
			field.SetInt(-1)
		}
		if err := timing.Validate(); err == nil || !strings.Contains(err.Error(), "."+name+" ") {
			t.Errorf("%s %v: %v", name, field, err)
		}
	}
}

// TestLeaderWeightZero: it can be said, and loses against the default.
func TestLeaderWeightZero(t *testing.T) {
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); c.LeaderWeight = new(uint8) })
	m.StartOneByOne()
	if l, ok := n.Leader(); !ok || l.Weighting != 0 {
		t.Errorf("%+v, %v", l, ok)
	}
}

// TestTwoNodesWithOneAddress: the log says so, and does not fill with it. A node's own messages, replayed, are no other node.
func TestTwoNodesWithOneAddress(t *testing.T) {
	m := meshtest.New(t, ideal())
	var log [2]bytes.Buffer
	for i := range log {
		m.Add(1, lorasim.Position{}, func(c *thread.Config) {
			stock(c)
			c.ExtAddr = ieee802154.ExtAddr{2: 7}
			c.Logger = slog.New(slog.NewTextHandler(&log[i], nil))
		})
	}
	m.StartEach(time.Minute)
	m.Run(time.Hour)
	a, b := strings.Count(log[0].String(), "another node has this node's MAC"), strings.Count(log[1].String(), "another node has this node's MAC")
	if a+b == 0 || a+b > 20 {
		t.Errorf("%d and %d lines\n%s", a, b, &log[0])
	}
	if c := m.Nodes[0].Counters(); c.RxOwnSource == 0 || c.RxMLE > 0 {
		t.Errorf("%+v", c)
	}
}

// TestOwnEchoIsNoTwin: what this node has sent itself, recorded and replayed, says nothing.
func TestOwnEchoIsNoTwin(t *testing.T) {
	var log bytes.Buffer
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	var sent [][]byte
	m.StartOneByOne()
	now := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 100 {
		if at, ok := n.NextTimeout(); ok && at.After(now) {
			now = at
		}
		n.HandleTimeout(now)
		if psdu, ok := n.PollTransmit(); ok {
			sent = append(sent, bytes.Clone(psdu))
			n.HandleTransmitDone(now, nil)
		}
	}
	for _, psdu := range sent {
		n.HandleFrame(now, psdu, -50)
	}
	if c := n.Counters(); c.RxOwnSource < 3 || strings.Contains(log.String(), "MAC address") {
		t.Errorf("%d frames, %d from itself\n%s", len(sent), c.RxOwnSource, &log)
	}
}

// TestEvents tells what happened in its order, the latest 256 at most.
func TestEvents(t *testing.T) {
	m := meshtest.New(t, ideal())
	a, b := m.Add(1, lorasim.Position{}, stock), m.Add(1, lorasim.Position{}, stock)
	m.StartOneByOne()
	var got []string
	for {
		ev, ok := b.PollEvent()
		if !ok {
			break
		}
		if ev.Time.IsZero() {
			t.Errorf("%+v", ev)
		}
		switch ev.Type {
		case thread.EventRole:
			got = append(got, ev.Role.String())
		case thread.EventNeighborAdded:
			if ev.ExtAddr != a.ExtAddr() || ev.RLOC16 != a.RLOC16() {
				t.Errorf("%+v", ev)
			}
			fallthrough
		case thread.EventPartition:
			got = append(got, ev.Type.String())
		}
	}
	if want := "detached partition child router neighbor added"; strings.Join(got, " ") != want {
		t.Errorf("events %q, want %q", strings.Join(got, " "), want)
	}
	count := func(typ thread.EventType) (n int) {
		for {
			ev, ok := a.PollEvent()
			if !ok {
				return n
			}
			if ev.Type == typ && ev.ExtAddr == b.ExtAddr() {
				n++
			}
		}
	}
	if got := count(thread.EventChildAdded); got != 1 {
		t.Errorf("%d children added", got)
	}
	b.PowerOff()
	m.Run(5 * time.Minute)
	if got := count(thread.EventNeighborRemoved); got != 1 {
		t.Errorf("%d neighbors removed", got)
	}
	for range 200 {
		a.Engine.Stop(m.Sim.Now())
		if err := a.Engine.Start(m.Sim.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if got := count(thread.EventRole); got > 256 || a.Counters().EventsLost == 0 {
		t.Errorf("%d events kept, %d lost", got, a.Counters().EventsLost)
	}
}

// TestStrings prints what a log shows.
func TestStrings(t *testing.T) {
	for want, s := range map[string]interface{ String() string }{
		"disabled": thread.RoleDisabled, "leader": thread.RoleLeader, "Role(9)": thread.Role(9),
		"child removed": thread.EventChildRemoved, "EventType(99)": thread.EventType(99),
	} {
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
