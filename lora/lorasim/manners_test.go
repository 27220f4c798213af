package lorasim

import (
	"errors"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// pair is a bench of two stations that hear each other at a strength, with manners.
func mannered(m Manners, rssi float64) *bench {
	b := newBench(Options{Manners: m}, 2)
	b.SetLink(b.nd[0], b.nd[1], rssi)
	return b
}

const ms = time.Millisecond

// begins returns when a station's only packet of n bytes began, by when the other one heard it.
func (b *bench) begins(t *testing.T, hearer, n int) time.Duration {
	t.Helper()
	if len(b.st[hearer].heard) != 1 {
		t.Fatalf("%d packets heard", len(b.st[hearer].heard))
	}
	return b.st[hearer].heard[0].at.Sub(b.opt.Start) - airtime(n)
}

func TestTurnaroundAndListening(t *testing.T) {
	for _, tt := range []struct {
		manners Manners
		want    time.Duration
	}{
		{Manners{}, ms},
		{Manners{Turnaround: 600 * time.Microsecond}, ms + 600*time.Microsecond},
		{DriverManners(lora.Config{}), ms + 600*time.Microsecond},
		{Manners{CAD: &Detection{Always: true, FalseAlarm: -1}}, ms + 1894400*time.Nanosecond}, // 1.85 symbols
	} {
		b := mannered(tt.manners, -80)
		b.sendAt(0, 0, 20)
		b.Run(time.Second)
		if got := b.begins(t, 1, 20); got != tt.want {
			t.Errorf("%+v: begins after %v, want %v", tt.manners, got, tt.want)
		}
	}
}

// TestPauses lets B answer at once what A sends, and A send again at once.
func TestPauses(t *testing.T) {
	driver := DriverManners(lora.Config{})
	b := mannered(driver, -80)
	end := ms + driver.Turnaround + airtime(20) + 1
	b.sendAt(0, 0, 20)
	b.sendAt(end, 1, 5)
	b.Run(time.Second)
	if got := b.begins(t, 0, 5) - end; got != driver.Pause-1 {
		t.Errorf("the answer begins after %v, want %v", got, driver.Pause)
	}
	b = mannered(driver, -80)
	b.sendAt(0, 0, 20)
	b.sendAt(end, 0, 5)
	b.Run(time.Second)
	if n := len(b.st[1].heard); n != 2 {
		t.Fatalf("%d packets heard", n)
	}
	if got := b.st[1].heard[1].at.Sub(b.opt.Start) - airtime(5) - end; got != driver.Gap-1 {
		t.Errorf("the next begins after %v, want %v", got, driver.Gap)
	}
	board := BoardManners()
	for i := range 20 {
		b := newBench(Options{Seed: uint64(i), Manners: board}, 2)
		b.SetLink(b.nd[0], b.nd[1], -80)
		b.nd[0].SetManners(Manners{})
		b.sendAt(0, 0, 20)
		end := ms + airtime(20) + 1
		b.sendAt(end, 1, 5)
		b.Run(time.Second)
		if got := b.begins(t, 0, 5) - end; got < board.Pause-1 || got > board.Pause+board.Jitter+2*ms {
			t.Errorf("a board's answer begins after %v", got)
		}
	}
}

// TestDeafness sends a packet some time after the receiver has received one, or sent one itself.
func TestDeafness(t *testing.T) {
	symbol := lora.Config{}.WithDefaults().SymbolTime()
	spare := lora.Config{}.WithDefaults().PreambleTime() - symbol*lateQuarters/4
	for _, tt := range []struct {
		name   string
		from   int // of the first packet
		after  time.Duration
		heard  bool
		counts func(Stats) uint64
	}{
		{"long after its own", 1, 10 * ms, true, nil},
		{"in its deafness, right at the beginning", 1, 1, false, func(s Stats) uint64 { return s.Deaf }},
		{"in its deafness, near the end", 1, 4*ms - spare, true, nil},
		{"just before", 1, 4*ms - spare - 1, false, func(s Stats) uint64 { return s.Deaf }},
		{"long after a reception", 0, 10 * ms, true, nil},
		{"soon after a reception", 0, ms / 2, false, func(s Stats) uint64 { return s.Deaf }},
	} {
		b := newBench(Options{NoListen: true}, 3)
		b.SetLink(b.nd[0], b.nd[1], -80)
		b.SetLink(b.nd[2], b.nd[1], -80)
		b.nd[1].SetManners(Manners{DeafAfterSend: 4 * ms, DeafAfterReceive: 4 * ms})
		b.sendAt(0, tt.from, 20)
		b.sendAt(airtime(20)+tt.after, 2, 10)
		b.Run(time.Second)
		heard := b.st[1].from()
		if got := len(heard) > 0 && heard[len(heard)-1] == 'C'; got != tt.heard {
			t.Errorf("%s: heard %q, %+v", tt.name, heard, b.nd[1].Stats())
		}
		if tt.counts != nil && tt.counts(b.nd[1].Stats()) != 1 {
			t.Errorf("%s: %+v", tt.name, b.nd[1].Stats())
		}
	}
}

// TestCaughtAfterSending begins a packet at the very end of the receiver's own, so that its preamble is heard after all.
func TestCaughtAfterSending(t *testing.T) {
	for _, tt := range []struct {
		before time.Duration
		heard  bool
	}{{ms, true}, {4 * ms, false}} {
		b := newBench(Options{NoListen: true}, 2)
		b.SetLink(b.nd[0], b.nd[1], -80)
		b.nd[1].SetManners(Manners{DeafAfterSend: ms})
		b.sendAt(0, 1, 20)
		b.sendAt(airtime(20)-tt.before, 0, 20)
		b.Run(time.Second)
		s := b.nd[1].Stats()
		if (s.Delivered == 1) != tt.heard || (s.HalfDuplex == 0) != tt.heard {
			t.Errorf("%v before the end: %+v", tt.before, s)
		}
	}
}

// TestWaiting keeps a packet back while the channel is busy.
func TestWaiting(t *testing.T) {
	driver := DriverManners(lora.Config{})
	b := mannered(driver, -80)
	b.nd[0].SetManners(Manners{})
	b.sendAt(0, 0, 100)
	b.sendAt(20*ms, 1, 20)
	b.Run(time.Second)
	s := b.nd[1].Stats()
	if s.Waited == 0 || s.Busy != 0 || s.Sent != 1 || len(b.st[0].heard) != 1 {
		t.Errorf("%+v", s)
	}

	driver.Wait = 50 * ms
	b = mannered(driver, -80)
	b.nd[0].SetManners(Manners{})
	b.sendAt(0, 0, 200)
	b.sendAt(20*ms, 1, 20)
	b.Run(time.Second)
	if s := b.nd[1].Stats(); s.Busy != 1 || s.Sent != 0 || len(b.st[1].done) != 1 || !errors.Is(b.st[1].done[0], lora.ErrChannelBusy) {
		t.Errorf("%+v, %v", s, b.st[1].done)
	}
}

// TestBoardHearsStrengthAlone sends into a packet that a board receives, but that is weak.
func TestBoardHearsStrengthAlone(t *testing.T) {
	b := mannered(BoardManners(), -100)
	b.sendAt(0, 0, 100)
	b.sendAt(30*ms, 1, 20)
	b.Run(time.Second)
	if s := b.nd[1].Stats(); s.HalfDuplex != 1 || s.Sent != 1 || s.Waited != 0 {
		t.Errorf("%+v", s)
	}
}

// TestDetection looks for a packet that began some symbols ago, of which the modem's status does not tell: it was not heard from its
// beginning.
func TestDetection(t *testing.T) {
	symbol := lora.Config{}.WithDefaults().SymbolTime()
	certain := &Detection{Always: true, FalseAlarm: -1}
	for _, tt := range []struct {
		name   string
		began  time.Duration // before the detection
		rssi   float64
		refuse bool
	}{
		{"not yet a symbol", symbol / 4, -100, false},
		{"in the preamble", 3 * symbol, -100, true},
		{"in the downchirps", 10 * symbol, -100, false},
		{"in the payload", 30 * symbol, -100, true},
		{"after the end", airtime(50) + symbol, -100, false},
		{"too weak", 30 * symbol, -130.5, false},
	} {
		b := newBench(Options{}, 2)
		b.SetLink(b.nd[0], b.nd[1], tt.rssi)
		b.nd[0].SetManners(Manners{})
		b.nd[1].SetManners(Manners{RSSIOnly: true, CAD: certain})
		b.sendAt(time.Second, 0, 50)
		// Both listen for a millisecond.
		b.sendAt(time.Second+tt.began, 1, 10)
		b.Run(3 * time.Second)
		if got := b.nd[1].Stats().Busy == 1; got != tt.refuse {
			t.Errorf("%s: %+v", tt.name, b.nd[1].Stats())
		}
	}
}

func TestDetectionErrs(t *testing.T) {
	count := func(d Detection, rssi float64) (busy int) {
		for seed := range uint64(400) {
			b := newBench(Options{Seed: seed}, 2)
			b.SetLink(b.nd[0], b.nd[1], rssi)
			b.nd[1].SetManners(Manners{RSSIOnly: true, CAD: &d})
			b.sendAt(0, 0, 50)
			b.sendAt(30*ms, 1, 10)
			b.Run(time.Second)
			busy += int(b.nd[1].Stats().Busy)
		}
		return busy
	}
	sensitivity := lora.Config{}.WithDefaults().Sensitivity()
	if n := count(Detection{Always: true, FalseAlarm: 0.25}, -200); n < 70 || n > 130 {
		t.Errorf("%d false alarms of 400", n)
	}
	for _, tt := range []struct {
		above    float64
		low, top int
	}{{6, 400, 400}, {2.5, 270, 330}, {0, 170, 230}, {-5, 0, 0}} {
		if n := count(Detection{Always: true, FalseAlarm: -1}, sensitivity+tt.above); n < tt.low || n > tt.top {
			t.Errorf("%v dB above the limit: %d hits of 400", tt.above, n)
		}
	}
}

// TestDetectionTakesReceptions starts a detection when a packet has just begun.
func TestDetectionTakesReceptions(t *testing.T) {
	symbol := lora.Config{}.WithDefaults().SymbolTime()
	for _, tt := range []struct {
		began time.Duration
		heard bool
	}{{symbol, true}, {4 * symbol, false}} {
		b := newBench(Options{}, 2)
		b.SetLink(b.nd[0], b.nd[1], -100)
		b.nd[0].SetManners(Manners{})
		b.nd[1].SetManners(Manners{CAD: &Detection{Always: true, FalseAlarm: -1}})
		b.sendAt(0, 0, 50)
		b.sendAt(tt.began, 1, 10)
		b.Run(time.Second)
		if s := b.nd[1].Stats(); s.Busy != 1 || (s.Delivered == 1) != tt.heard || s.Delivered+s.Deaf != 1 || s.HalfDuplex != 0 {
			t.Errorf("%v before: %+v", tt.began, s)
		}
	}
}

// TestDetectionCostsReceiving: a detection draws what receiving draws.
func TestDetectionCostsReceiving(t *testing.T) {
	b := mannered(Manners{CAD: &Detection{Always: true, FalseAlarm: -1}}, -80)
	b.sendAt(0, 0, 20)
	b.Run(time.Second)
	if a := b.nd[0].Activity(); a.Receiving != time.Second-airtime(20) || a.Transmitting != airtime(20) || a.Sleeping != 0 {
		t.Errorf("%+v", a)
	}
}

// TestRoomForAcknowledgments gives a packet at the end of another one's: it waits, unless it is an acknowledgment, or takes the place of one.
func TestRoomForAcknowledgments(t *testing.T) {
	driver := DriverManners(lora.Config{})
	for _, tt := range []struct {
		size     int
		answers  bool
		from, to time.Duration
	}{
		{5, false, driver.Pause, driver.Pause + 1}, {60, true, driver.Pause, driver.Pause + 1},
		{6, false, driver.Window, driver.Window + driver.RetryMax + 2*ms},
	} {
		for seed := range uint64(10) {
			b := newBench(Options{Seed: seed, Manners: driver}, 2)
			b.SetLink(b.nd[0], b.nd[1], -80)
			b.nd[0].SetManners(Manners{})
			b.st[1].answers = tt.answers
			b.sendAt(0, 0, 20)
			end := ms + airtime(20)
			b.sendAt(end+1, 1, tt.size)
			b.Run(time.Second)
			if got := b.begins(t, 0, tt.size) - end; got < tt.from || got > tt.to {
				t.Errorf("%d bytes begin after %v, want %v to %v", tt.size, got, tt.from, tt.to)
			}
		}
	}
}

// TestDetectionAfterSending: a packet that began while the antenna was sending is not known to its modem, but found.
func TestDetectionAfterSending(t *testing.T) {
	for _, cad := range []*Detection{nil, {FalseAlarm: -1}} {
		driver := DriverManners(lora.Config{})
		driver.CAD = cad
		b := mannered(driver, -100)
		b.nd[0].SetManners(Manners{})
		b.sendAt(0, 1, 20)
		b.sendAt(20*ms, 0, 100)
		b.sendAt(60*ms, 1, 20)
		b.CutLink(b.nd[0], b.nd[1])
		b.After(40*ms, func() { b.SetLink(b.nd[0], b.nd[1], -100) })
		b.Run(time.Second)
		if s := b.nd[1].Stats(); (s.Waited > 0) != (cad != nil) || s.Sent != 2 {
			t.Errorf("CAD %v: %+v", cad != nil, s)
		}
	}
}

func TestCoChannel(t *testing.T) {
	for _, tt := range []struct {
		margins CoChannel
		above   float64 // of the first packet
		heard   string
	}{
		{CoChannel{}, 6, "A"}, {CoChannel{}, 5, ""}, {CoChannelBor(), 5.9, ""},
		{CoChannelCroce(), 1, "A"}, {CoChannelCroce(), 0.9, ""},
		{CoChannelMeshCore(), 3, "A"}, {CoChannelMeshCore(), 2.5, ""},
	} {
		b := newBench(Options{NoListen: true, CoChannel: tt.margins}, 3)
		b.SetLink(b.nd[0], b.nd[2], -90)
		b.SetLink(b.nd[1], b.nd[2], -90-tt.above)
		b.sendAt(0, 0, 50)
		b.sendAt(40*ms, 1, 50)
		b.Run(time.Second)
		if got := b.st[2].from(); got != tt.heard {
			t.Errorf("%+v, %v dB: heard %q, want %q", tt.margins, tt.above, got, tt.heard)
		}
	}
}

// meter is a script that asks for the signal.
type meter struct {
	script
	rssi, snr float64
}

func (m *meter) HandleSignal(_ time.Time, _ []byte, rssi, snr float64) { m.rssi, m.snr = rssi, snr }

func TestMeter(t *testing.T) {
	b := newBench(Options{}, 1)
	m := &meter{}
	b.SetLink(b.nd[0], b.Add(m, Position{}), -120.3)
	b.sendAt(0, 0, 20)
	b.Run(time.Second)
	if m.rssi < -120.31 || m.rssi > -120.29 || m.snr != -3.25 || len(m.heard) != 0 {
		t.Errorf("%v dBm, %v dB; %d frames", m.rssi, m.snr, len(m.heard))
	}
}

func TestNoAllocationsWithManners(t *testing.T) {
	manners := DriverManners(lora.Config{})
	s := newField(100, Options{Manners: manners})
	for _, n := range s.nodes[:30] {
		n.SetManners(BoardManners())
	}
	s.Run(time.Hour)
	if n := testing.AllocsPerRun(10, func() { s.Run(time.Minute) }); n != 0 {
		t.Errorf("%v allocations a minute", n)
	}
	if st := s.Stats(); st.Deaf == 0 || st.Waited == 0 || st.Delivered == 0 {
		t.Errorf("%+v", st)
	}
}
