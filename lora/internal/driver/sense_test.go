package driver

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/transceiver"
)

// TestReception follows what a modem says, and how long it is believed.
func TestReception(t *testing.T) {
	cfg := lora.Config{}.WithDefaults()
	var r reception
	r.init(cfg)
	start := time.Unix(0, 0)
	at := func(ms int, p Progress, busy, expired bool) {
		t.Helper()
		now := start.Add(time.Duration(ms) * time.Millisecond)
		r.track(p, now)
		if r.busy() != busy || r.expired(now) != expired {
			t.Errorf("after %d ms: busy %v, expired %v", ms, r.busy(), r.expired(now))
		}
	}
	at(0, Nothing, false, false)
	at(1, Preamble, true, false)
	at(25, Preamble, true, false)
	at(27, Preamble, true, true) // 12.25 symbols, a header of 8, and 4 more are 24.8 ms
	at(28, Nothing, false, false)
	at(30, Preamble, true, false)
	at(50, Header, true, false)
	at(440, Header, true, false)
	at(450, Header, true, true) // the longest packet lasts 399 ms
	at(451, Preamble, true, false)
}

// TestLoad counts packets, and forgets them.
func TestLoad(t *testing.T) {
	cfg := lora.Config{}.WithDefaults()
	var l load
	l.init(cfg)
	now := time.Unix(1000, 0)
	if got := l.share(now); got != 0 {
		t.Errorf("%v at the beginning", got)
	}
	for range 200 { // half of the time, for longer than it remembers
		now = now.Add(400 * time.Millisecond)
		l.add(200*time.Millisecond, now)
	}
	if got := l.share(now); got < 0.45 || got > 0.55 {
		t.Errorf("share %.2f, half of the time was used", got)
	}
	if got := l.share(now.Add(time.Hour)); got > 0.01 {
		t.Errorf("share %.2f after an hour of silence", got)
	}
	if got := l.share(now.Add(-time.Hour)); got > 1 { // a clock set back
		t.Errorf("share %.2f", got)
	}
}

// TestContend: pauses are whole slots, no shorter than what a start stays unheard, and more of them under load.
func TestContend(t *testing.T) {
	cfg := lora.Config{}.WithDefaults()
	d := New(nil, nil, "", cfg, DefaultOptions(cfg))
	now := time.Now()
	most := func() (longest time.Duration) {
		for range 1000 {
			p := d.contend(now)
			if p%d.slot != 0 {
				t.Fatalf("pause %v, slots of %v", p, d.slot)
			}
			longest = max(longest, p)
		}
		return longest
	}
	if d.slot < transceiver.Unheard(cfg) || d.slot > 7*time.Millisecond {
		t.Errorf("slots of %v", d.slot)
	}
	if got := most(); got != 7*d.slot {
		t.Errorf("up to %v in silence, want 7 slots", got)
	}
	for range 1000 {
		d.load.add(time.Second, now)
	}
	if got := most(); got < 28*d.slot || got > 32*d.slot {
		t.Errorf("up to %v on a full channel, want 32 slots", got)
	}
}
