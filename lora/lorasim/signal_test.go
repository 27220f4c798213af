package lorasim

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

var noListen = Options{NoListen: true}

func airtime(n int) time.Duration { return lora.Config{}.Airtime(n) }

func TestDelivery(t *testing.T) {
	b := newBench(Options{}, 2)
	b.SetLink(b.nd[0], b.nd[1], -90.4)
	b.sendAt(time.Second, 0, 20)
	b.Run(time.Minute)

	want := heardFrame{b.opt.Start.Add(time.Second + time.Millisecond + airtime(20)), "A" + strings.Repeat("\x00", 19), -90}
	if got := b.st[1].heard; len(got) != 1 || got[0] != want {
		t.Errorf("heard %v, want %v", got, want)
	}
	if got := b.st[0].done; len(got) != 1 || got[0] != nil {
		t.Errorf("done: %v", got)
	}
	if got := b.Now().Sub(b.opt.Start); got != time.Minute {
		t.Errorf("a minute took %v", got)
	}
	if got, want := b.nd[0].Stats(), (Stats{Sent: 1, Airtime: airtime(20)}); got != want {
		t.Errorf("sender: %+v", got)
	}
	if got, want := b.nd[1].Stats(), (Stats{Delivered: 1}); got != want {
		t.Errorf("receiver: %+v", got)
	}
	if got, want := b.Stats(), (Stats{Sent: 1, Airtime: airtime(20), Delivered: 1}); got != want {
		t.Errorf("all: %+v", got)
	}
}

func TestSensitivity(t *testing.T) {
	limit := lora.Config{}.Sensitivity()
	for _, tt := range []struct {
		rssi             float64
		heard            int
		tooWeak, deliver uint64
	}{
		{limit + 0.01, 1, 0, 1},
		{limit - 0.01, 0, 1, 0},
		{limit - 5.99, 0, 1, 0},
		{limit - 6.01, 0, 0, 0},
	} {
		b := newBench(noListen, 2)
		b.SetLink(b.nd[0], b.nd[1], tt.rssi)
		b.sendAt(0, 0, 10)
		b.Run(time.Second)
		if got := len(b.st[1].heard); got != tt.heard {
			t.Errorf("%.2f dBm: heard %d", tt.rssi, got)
		}
		if got, want := b.nd[1].Stats(), (Stats{TooWeak: tt.tooWeak, Delivered: tt.deliver}); got != want {
			t.Errorf("%.2f dBm: %+v", tt.rssi, got)
		}
	}
}

func TestChannels(t *testing.T) {
	for _, tt := range []struct {
		name            string
		cfg             lora.Config
		hears, disturbs bool
	}{
		{"same", lora.Config{}, true, true},
		{"other coding rate", lora.Config{CodingRate: lora.CR48}, true, true},
		{"other frequency", lora.Config{Frequency: 869 * lora.MHz}, false, false},
		{"other bandwidth", lora.Config{Bandwidth: lora.BW250}, false, false},
		{"other spreading factor", lora.Config{SpreadingFactor: lora.SF8}, false, false},
		{"other sync word", lora.Config{SyncWord: lora.SyncPrivate}, false, true},
	} {
		b := newBench(noListen, 3) // A sends, B listens with the other settings
		b.SetLink(b.nd[0], b.nd[1], -80)
		b.SetLink(b.nd[2], b.nd[1], -80)
		b.SetLink(b.nd[2], b.nd[0], -80)
		if err := b.nd[1].Configure(tt.cfg); err != nil {
			t.Fatal(err)
		}
		b.sendAt(0, 0, 10)
		b.Run(time.Second)
		if got := len(b.st[1].heard) == 1; got != tt.hears {
			t.Errorf("%s: heard %v", tt.name, got)
		}
		// B and C send at once: does B disturb what A receives from C?
		b.SetLink(b.nd[1], b.nd[0], -80)
		b.sendAt(2*time.Second, 1, 10)
		b.sendAt(2*time.Second, 2, 10)
		b.Run(2 * time.Second)
		if got := !strings.Contains(b.st[0].from(), "C"); got != tt.disturbs {
			t.Errorf("%s: disturbed %v", tt.name, got)
		}
	}
}

func TestHalfDuplex(t *testing.T) {
	b := newBench(noListen, 2)
	b.SetLink(b.nd[0], b.nd[1], -80)
	b.sendAt(0, 0, 100)                  // B sends while it receives
	b.sendAt(50*time.Millisecond, 1, 10) // A is sending
	b.sendAt(time.Second, 1, 100)        // and alone, all is well
	b.Run(2 * time.Second)
	if len(b.st[1].heard) != 0 || b.st[0].from() != "B" {
		t.Errorf("B heard %d, A heard %q", len(b.st[1].heard), b.st[0].from())
	}
	for i, want := range []Stats{
		{Sent: 1, Airtime: airtime(100), HalfDuplex: 1, Delivered: 1},
		{Sent: 2, Airtime: airtime(100) + airtime(10), HalfDuplex: 1},
	} {
		if got := b.nd[i].Stats(); got != want {
			t.Errorf("%c: %+v", 'A'+i, got)
		}
	}
}

// A and B send to C.
func TestCapture(t *testing.T) {
	preamble := lora.Config{}.PreambleTime()
	for _, tt := range []struct {
		name  string
		a, b  float64       // dBm at C
		later time.Duration // by which B begins after A
		heard string
	}{
		{"equal", -80, -80, 0, ""},
		{"5.9 dB", -80, -85.9, 0, ""},
		{"A 6 dB stronger", -80, -86, 0, "A"},
		{"B 6 dB stronger", -86, -80, 0, "B"},
		{"near the sensitivity", -118, -124, 0, "A"},
		{"A stronger, B at the end of its preamble", -80, -86, preamble, "A"},
		{"A stronger, B at its end", -80, -86, airtime(30) - 1, "A"},
		{"B equal, at A's end", -80, -80, airtime(30) - 1, ""},
		{"B takes over within the preamble", -86, -80, preamble - 1, "B"},
		{"B destroys after the preamble", -86, -80, preamble, ""},
		{"B after A", -80, -80, airtime(30) + 1, "AB"},
		{"B is not even receivable", -124, -126, time.Millisecond, ""},
	} {
		b := newBench(noListen, 3)
		b.SetLink(b.nd[0], b.nd[2], tt.a)
		b.SetLink(b.nd[1], b.nd[2], tt.b)
		b.sendAt(0, 0, 30)
		b.sendAt(tt.later, 1, 30)
		b.Run(time.Second)
		if got := b.st[2].from(); got != tt.heard {
			t.Errorf("%s: heard %q, want %q", tt.name, got, tt.heard)
		}
		s := b.nd[2].Stats()
		if got := s.Delivered + s.Collided + s.TooWeak; got != 2 {
			t.Errorf("%s: %d packets in %+v", tt.name, got, s)
		}
		if b.nd[2].power != 0 {
			t.Errorf("%s: %d aW stay in the air", tt.name, b.nd[2].power)
		}
	}
}

// Two signals that are weak enough alone are too strong together.
func TestInterferenceAddsUp(t *testing.T) {
	b := newBench(noListen, 4)
	b.SetLink(b.nd[0], b.nd[3], -80)
	b.SetLink(b.nd[1], b.nd[3], -87)
	b.SetLink(b.nd[2], b.nd[3], -87)
	b.sendAt(0, 0, 50)
	b.sendAt(20*time.Millisecond, 1, 10)
	b.sendAt(time.Second, 0, 50)
	b.sendAt(time.Second+20*time.Millisecond, 1, 10)
	b.sendAt(time.Second+30*time.Millisecond, 2, 10)
	b.Run(2 * time.Second)
	if got := b.st[3].from(); got != "A" {
		t.Errorf("heard %q, want one packet of A", got)
	}
}

func TestListenBeforeTalk(t *testing.T) {
	symbol := lora.Config{}.WithDefaults().SymbolTime()
	for _, tt := range []struct {
		name   string
		opt    Options
		rssi   float64 // of A at B
		at     time.Duration
		refuse bool
	}{
		{"strong", Options{}, -84, 10 * time.Millisecond, true},
		{"exactly the threshold", Options{}, -85, 10 * time.Millisecond, true},
		{"weak", Options{RSSIOnly: true}, -85.1, 10 * time.Millisecond, false},
		{"weak, but received", Options{}, -120, 10 * time.Millisecond, true},
		{"weak, in its fifth symbol", Options{}, -120, 5 * symbol, true},
		{"weak, before", Options{}, -120, 5*symbol - 1, false},
		{"begins while B listens", Options{}, -80, 200 * time.Microsecond, true},
		{"after the end", Options{}, -80, airtime(50) + time.Millisecond + 1, false},
		{"listening off", Options{NoListen: true}, -50, 10 * time.Millisecond, false},
		{"other threshold", Options{BusyThreshold: -100}, -99, 10 * time.Millisecond, true},
	} {
		b := newBench(tt.opt, 2)
		b.SetLink(b.nd[0], b.nd[1], tt.rssi)
		b.sendAt(0, 0, 50)
		b.sendAt(tt.at, 1, 10)
		b.Run(time.Second)
		if len(b.st[1].done) != 1 {
			t.Fatalf("%s: done %v", tt.name, b.st[1].done)
		}
		err := b.st[1].done[0]
		if got := err != nil; got != tt.refuse || got && !errors.Is(err, lora.ErrChannelBusy) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := b.nd[1].Stats().Busy == 1; got != tt.refuse {
			t.Errorf("%s: %+v", tt.name, b.nd[1].Stats())
		}
		if tt.refuse && b.st[1].from() != "A" {
			t.Errorf("%s: a refused sender did not hear the packet", tt.name)
		}
	}
}

func TestBadPackets(t *testing.T) {
	for _, tt := range []struct {
		opt Options
		n   int
		ok  bool
	}{
		{Options{}, 0, false},
		{Options{}, 1, true},
		{Options{}, 255, true},
		{Options{}, 256, false},
		{noListen, 256, false},
		{Options{PHY: IEEE802154}, 127, true},
		{Options{PHY: IEEE802154}, 128, false},
	} {
		b := newBench(tt.opt, 1)
		b.sendAt(0, 0, tt.n)
		b.Run(time.Second)
		if len(b.st[0].done) != 1 {
			t.Fatalf("%d bytes: done %v", tt.n, b.st[0].done)
		}
		if err := b.st[0].done[0]; err == nil != tt.ok || err != nil && !errors.Is(err, lora.ErrPacketSize) {
			t.Errorf("%d bytes: %v", tt.n, err)
		}
	}
}

func TestInvalidConfig(t *testing.T) {
	cfg := lora.Config{Frequency: 1}
	b := newBench(Options{Config: cfg}, 2)
	b.SetLink(b.nd[0], b.nd[1], -50)
	b.sendAt(0, 0, 10)
	b.Run(time.Second)
	if got := b.st[0].done; len(got) != 1 || got[0] == nil || got[0].Error() != cfg.Validate().Error() {
		t.Errorf("done %v", got)
	}
	if err := b.nd[0].Configure(cfg); err == nil {
		t.Error("Configure accepts it")
	}
}

func TestIdeal(t *testing.T) {
	var o Options
	o.Ideal = true
	o.NoListen = true
	o.Propagation = Uniform(-20)
	b := newBench(o, 3)
	b.nd[2].Configure(lora.Config{SyncWord: lora.SyncPrivate})
	for i := range b.st {
		b.sendAt(0, i, 10)
	}
	b.Run(time.Second)
	if a, bb, c := b.st[0].from(), b.st[1].from(), b.st[2].from(); a != "B" || bb != "A" || c != "" {
		t.Errorf("heard %q, %q, %q", a, bb, c)
	}
}

func TestIEEE802154(t *testing.T) {
	b := newBench(Options{PHY: IEEE802154, Propagation: Uniform(-20)}, 2)
	begin := b.Now()
	b.sendAt(0, 0, 127)
	b.Run(time.Second)
	want := begin.Add(128*time.Microsecond + 4256*time.Microsecond)
	if got := b.st[1].heard; len(got) != 1 || got[0].at != want || got[0].rssi != -20 {
		t.Errorf("heard %v, want at %v", got, want)
	}
	// An acknowledgment is not held back.
	begin = b.Now()
	b.st[1].outbox = [][]byte{{0x02, 0x00, 7, 0, 0}}
	b.nd[1].Touch()
	b.Run(time.Second)
	if got := b.st[0].heard; len(got) != 1 || got[0].at != begin.Add(352*time.Microsecond) {
		t.Errorf("heard %v", got)
	}
}
