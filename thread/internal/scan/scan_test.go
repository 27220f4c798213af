package scan

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

var (
	start        = time.Unix(1000, 0)
	commissioner = netip.MustParseAddr("fdde:ad00:beef::ff:fe00:2000")
)

const all meshcop.ChannelMask = 0x07fff800

func newCore() *core.Core {
	c := core.New(rand.NewChaCha8([32]byte{}), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{1})
	c.Advance(start)
	return c
}

// timed is what has a timer.
type timed interface{ NextTimeout() (time.Time, bool) }

// wait lets the time come for which a machine waits, and returns how long that took.
func wait(t *testing.T, c *core.Core, m timed) time.Duration {
	t.Helper()
	at, ok := m.NextTimeout()
	if !ok {
		t.Fatal("no timer runs")
	}
	d := max(at.Sub(c.Now), 0)
	c.Advance(c.Now.Add(d))
	return d
}

// A scan asks on each channel, listens there for its time, and ends.
func TestScanner(t *testing.T) {
	for _, kind := range []Kind{Active, Discovery, Energy} {
		c := newCore()
		s := New(c)
		if !s.Start(kind, 1<<11|1<<15|1<<26, 300*time.Millisecond) || s.Start(kind, all, 0) || s.Kind() != kind {
			t.Fatal("start")
		}
		var channels []uint8
		for range 3 {
			channel, ok := s.Wants()
			if _, there := s.Channel(); !ok || there || s.Over() {
				t.Fatal(channel, ok, there)
			}
			channels = append(channels, channel)
			s.Done() // of something else
			s.Begun()
			s.Begun()
			if on, ok := s.Channel(); !ok || on != channel {
				t.Error(on, ok)
			}
			if _, ok := s.Wants(); ok || !s.Scanning() {
				t.Error("wants it twice")
			}
			s.Done()
			if kind == Energy {
				continue
			}
			s.Done()
			if d := wait(t, c, s); d != 300*time.Millisecond {
				t.Error("listens for", d)
			}
			s.HandleTimeout()
		}
		if !slices.Equal(channels, []uint8{11, 15, 26}) {
			t.Error(channels)
		}
		_, runs := s.NextTimeout()
		if !s.Scanning() || !s.Over() || s.Over() || s.Scanning() || runs {
			t.Error("it does not end")
		}
	}
}

// What a radio never does holds a scan up for a time, and not for ever.
func TestScannerPatience(t *testing.T) {
	c := newCore()
	s := New(c)
	s.Start(Active, 1<<11|1<<12, time.Second)
	if d := wait(t, c, s); d != patience {
		t.Error(d)
	}
	s.HandleTimeout()
	if channel, ok := s.Wants(); !ok || channel != 12 {
		t.Error(channel, ok)
	}
	s.Begun()
	if d := wait(t, c, s); d != patience+time.Second {
		t.Error(d)
	}
	s.HandleTimeout()
	if !s.Over() {
		t.Error("not over")
	}
	if !s.Start(Active, 0, time.Second) || !s.Over() {
		t.Error("a scan of no channel is not over at once")
	}
	s.Start(Active, all, time.Second)
	s.Stop()
	if s.Scanning() || s.Over() {
		t.Error("not stopped")
	}
}

// order is Energy Scan's: two channels.
func order(count uint8) meshcop.Survey {
	return meshcop.Survey{Session: 7, Channels: 1<<12 | 1<<13, Count: count, Period: 32 * time.Millisecond, Duration: time.Second}
}

// measure plays the radio until the report. The power on a channel is minus its number.
func measure(t *testing.T, c *core.Core, s *EnergyServer) (took []time.Duration, to netip.Addr, report meshcop.Survey) {
	t.Helper()
	for range 1000 {
		took = append(took, wait(t, c, s))
		channel, d, ok := s.Wants()
		if !ok {
			to, report, ok = s.Report()
			if !ok {
				t.Fatal("neither wants nor reports")
			}
			return took, to, report
		}
		s.Begun()
		if _, _, ok := s.Wants(); ok {
			t.Fatal("wants it twice")
		}
		if _, _, ok := s.Report(); ok {
			t.Fatal("reports too early")
		}
		c.Advance(c.Now.Add(d))
		s.Result(-int8(channel))
		s.Result(-1) // of nothing
	}
	t.Fatal("no end")
	return
}

// Thread 1.1 §8.7.10: SCAN_DELAY passes, then each channel is measured count times, a period in between.
func TestEnergyServer(t *testing.T) {
	c := newCore()
	s := NewEnergyServer(c)
	if _, _, ok := s.Wants(); ok {
		t.Error("wants something")
	}
	if _, _, ok := s.Report(); ok {
		t.Error("reports something")
	}
	s.Result(1)
	s.Start(commissioner, order(2))
	took, to, report := measure(t, c, s)
	ms := time.Millisecond
	if want := []time.Duration{scanDelay, 32 * ms, 32 * ms, 32 * ms, reportDelay}; !slices.Equal(took, want) {
		t.Error(took, want)
	}
	if to != commissioner || report.Channels != 1<<12|1<<13 || !slices.Equal(report.Energy, []int8{-12, -13, -12, -13}) {
		t.Errorf("%v %+v", to, report)
	}
	if _, _, ok := s.Report(); ok {
		t.Error("reports twice")
	}
	if at, ok := s.NextTimeout(); ok {
		t.Error("a timer runs", at)
	}
}

// Results are bounded, whatever is asked for.
func TestEnergyServerBounds(t *testing.T) {
	for _, tt := range []struct {
		count    uint8
		channels meshcop.ChannelMask
		want     int
	}{
		{3, 1 << 11, 3},
		{255, 1 << 11, maxResults},
		{255, all, 64},
		{3, 0, 0},
		{0, all, 0},
	} {
		c := newCore()
		s := NewEnergyServer(c)
		o := order(tt.count)
		o.Channels = tt.channels
		s.Start(commissioner, o)
		_, _, report := measure(t, c, s)
		if len(report.Energy) != tt.want || report.Channels != tt.channels {
			t.Errorf("%+v: %d results, %x", tt, len(report.Energy), report.Channels)
		}
	}

	// The radio is busy, then cannot measure one of the channels.
	c := newCore()
	s := NewEnergyServer(c)
	s.Start(commissioner, order(1))
	wait(t, c, s)
	s.Retry()
	if _, _, ok := s.Wants(); ok {
		t.Error("wants it at once")
	}
	wait(t, c, s)
	s.Begun()
	s.Result(NoEnergy)
	_, _, report := measure(t, c, s)
	if report.Channels != 1<<13 || len(report.Energy) != 1 {
		t.Errorf("%+v", report)
	}
	one := order(1)
	one.Channels = 1 << 12
	s.Start(commissioner, one)
	wait(t, c, s)
	s.Begun()
	s.Result(NoEnergy)
	if _, _, report := measure(t, c, s); report.Channels != 0 || len(report.Energy) != 0 {
		t.Errorf("%+v", report)
	}
	s.Start(commissioner, order(1))
	s.Stop()
	if _, ok := s.NextTimeout(); ok {
		t.Error("not stopped")
	}
}

// Thread 1.1 §8.7.9: who uses the PAN ID on which channels is told, and that nobody does is not.
func TestPANIDServer(t *testing.T) {
	c := newCore()
	s := NewPANIDServer(c)
	s.Found(11, 0xdead)
	for _, conflict := range []bool{true, false} {
		s.Start(commissioner, meshcop.Survey{Channels: 1<<11 | 1<<12, PANID: 0xdead})
		if _, ok := s.Wants(); ok || wait(t, c, s) != scanDelay {
			t.Error("no SCAN_DELAY")
		}
		channels, ok := s.Wants()
		if !ok || channels != 1<<11|1<<12 {
			t.Error(channels, ok)
		}
		s.Retry()
		if _, ok := s.Wants(); ok {
			t.Error("wants it at once")
		}
		wait(t, c, s)
		s.Begun()
		if _, ok := s.Wants(); ok || !s.Running() {
			t.Error("wants it twice")
		}
		s.Found(11, 0xbeef)
		s.Found(200, 0xdead)
		if conflict {
			s.Found(12, 0xdead)
		}
		to, got, ok := s.Over()
		if ok != conflict || to != commissioner || conflict && (got.Channels != 1<<12 || got.PANID != 0xdead) {
			t.Errorf("%v %+v %v", to, got, ok)
		}
		if _, _, ok := s.Over(); ok || s.Running() {
			t.Error("over twice")
		}
	}
}

// An Announcer goes through its channels as often as it shall, a period apart.
func TestAnnouncer(t *testing.T) {
	c := newCore()
	a := NewAnnouncer(c)
	if a.Start(0, 1, time.Second) || a.Start(all, 0, time.Second) || a.Start(all, 1, 0) {
		t.Error("it takes an order for nothing")
	}
	a.Start(1<<11|1<<20, 2, time.Second)
	if _, ok := a.Poll(); ok {
		t.Error("at once")
	}
	var log []string
	for {
		if _, ok := a.NextTimeout(); !ok {
			break
		}
		d := wait(t, c, a)
		channel, ok := a.Poll()
		if _, again := a.Poll(); !ok || again {
			t.Fatal(ok, again)
		}
		log = append(log, fmt.Sprint(d, " ", channel))
	}
	if want := []string{"1s 11", "1s 20", "1s 11", "1s 20"}; !slices.Equal(log, want) {
		t.Error(log)
	}
	a.Start(all, 255, time.Nanosecond)
	if d := wait(t, c, a); d != minAnnouncePeriod {
		t.Error(d)
	}
	a.Stop()
	if _, ok := a.Poll(); ok {
		t.Error("not stopped")
	}
}
