package lora

import (
	"math/rand/v2"
	"testing"
	"time"
)

var epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

func data(airtime time.Duration) parcel { return parcel{airtime: airtime} }

func ack(airtime time.Duration) parcel { return parcel{airtime: airtime, ack: true} }

// onePercent is a sub-band with 36 s an hour.
var onePercent = SubBand{Name: "test", DutyCycle: 0.01}

// sent is what a simulated sender had on the air.
type sent struct {
	from, to time.Time
	ack      bool
}

// onAir returns the airtime within an hour that ends at a time.
func onAir(log []sent, end time.Time) (total, data time.Duration) {
	begin := end.Add(-DutyCycleWindow)
	for _, s := range log {
		from, to := s.from, s.to
		if from.Before(begin) {
			from = begin
		}
		if to.After(end) {
			to = end
		}
		if d := to.Sub(from); d > 0 {
			total += d
			if !s.ack {
				data += d
			}
		}
	}
	return total, data
}

func upTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

// TestAnyHour sends as much as is allowed for some hours, in different manners, and looks at
// every hour of it.
func TestAnyHour(t *testing.T) {
	for _, tt := range []struct {
		name  string
		duty  float64
		pause func(r *rand.Rand) time.Duration // between packets
		acks  int                              // in ten
		least float64                          // of the allowed airtime must be used in all
	}{
		{"as much as it may", 0.01, func(*rand.Rand) time.Duration { return 0 }, 0, 0.7},
		{"with acknowledgments", 0.01, func(r *rand.Rand) time.Duration { return upTo(r, 8*time.Second) }, 5, 0.7},
		{"a tenth", 0.1, func(r *rand.Rand) time.Duration { return upTo(r, 2*time.Second) }, 3, 0.7},
		{"a thousandth", 0.001, func(r *rand.Rand) time.Duration { return upTo(r, time.Minute) }, 3, 0.7},
		{"bursts", 0.01, func(r *rand.Rand) time.Duration {
			if r.IntN(50) == 0 {
				return upTo(r, time.Hour)
			}
			return 0
		}, 2, 0.1},
		{"seldom", 0.01, func(r *rand.Rand) time.Duration { return upTo(r, 2*time.Minute) }, 2, 0.08},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			a := newAccount(SubBand{DutyCycle: tt.duty})
			now, end := epoch, epoch.Add(5*time.Hour)
			var log []sent
			for now.Before(end) {
				p := parcel{airtime: 30*time.Millisecond + upTo(r, 180*time.Millisecond)}
				if p.ack = r.IntN(10) < tt.acks; p.ack {
					p.airtime = 31 * time.Millisecond
				}
				wait := a.wait(now, p)
				if wait > 0 {
					if p.ack {
						continue // lost
					}
					now = now.Add(wait)
					if again := a.wait(now, p); again != 0 {
						t.Fatalf("after waiting for %v, wait %v more", wait, again)
					}
				}
				a.booked += p.airtime
				began := now
				now = now.Add(p.airtime)
				a.settle(now, p, p.airtime)
				log = append(log, sent{began, now, p.ack})
				now = now.Add(tt.pause(r))
			}
			limit := a.limit
			for i := 0; i < len(log); i += 1 + len(log)/1000 {
				for _, end := range []time.Time{log[i].to, log[i].from.Add(DutyCycleWindow), log[i].from.Add(DutyCycleWindow / 2)} {
					total, data := onAir(log, end)
					if total > limit || data > a.share(dataShare) {
						t.Fatalf("hour to %v: %v on the air, %v of it data; limit %v", end.Sub(epoch), total, data, limit)
					}
				}
			}
			var all time.Duration
			for _, s := range log {
				all += s.to.Sub(s.from)
			}
			used := float64(all) / float64(5*limit)
			t.Logf("%d packets, %.0f %% of what is allowed", len(log), 100*used)
			if used < tt.least {
				t.Errorf("%.2f of the allowed airtime used, want %.2f", used, tt.least)
			}
		})
	}
}

// TestPacing: who has used the burst share is slowed down, not silenced.
func TestPacing(t *testing.T) {
	a := newAccount(onePercent)
	packet := data(118 * time.Millisecond)
	now := epoch
	send := func(p parcel) {
		a.booked += p.airtime
		now = now.Add(p.airtime)
		a.settle(now, p, p.airtime)
	}
	for a.wait(now, packet) == 0 {
		send(packet)
	}
	if used := a.ledger.total; used < 5300*time.Millisecond || used > 5500*time.Millisecond {
		t.Errorf("%v used at once, want 15 %% of 36 s", used)
	}
	// 118 ms of the 25.2 s of an hour.
	const pace = 16857 * time.Millisecond
	for i := range 1000 {
		wait := a.wait(now, packet)
		if i > 0 && (wait < pace-time.Second || wait > 2*pace) {
			t.Fatalf("packet %d after the burst waits %v, want %v", i, wait, pace)
		}
		now = now.Add(wait)
		send(packet)
		if got := a.wait(now, ack(31*time.Millisecond)); got != 0 {
			t.Fatalf("an acknowledgment waits %v", got)
		}
	}
	// Acknowledgments take what is left, and only they.
	acks := 0
	for a.wait(now, ack(31*time.Millisecond)) == 0 {
		send(ack(31 * time.Millisecond))
		acks++
	}
	if acks < 174 {
		t.Errorf("%d acknowledgments fit into the reserve", acks)
	}
	if total := a.ledger.total; total > a.limit || total < a.limit-31*time.Millisecond {
		t.Errorf("%v used, want %v", total, a.limit)
	}
	if wait := a.wait(now, packet); wait < pace || wait > DutyCycleWindow {
		t.Errorf("a packet waits %v", wait)
	}
	// After an hour of silence all is as at the beginning.
	now = now.Add(DutyCycleWindow + slotTime)
	if u := a.usage(now); u.Used != 0 || u.Left != 36*time.Second || u.Limit != 36*time.Second {
		t.Errorf("%+v after an hour of silence", u)
	}
	if wait := a.wait(now, data(5400*time.Millisecond)); wait != 0 {
		t.Errorf("a burst waits %v", wait)
	}
	if wait := a.wait(now, data(20*time.Second)); wait != 0 {
		t.Errorf("a packet longer than the burst share waits %v", wait)
	}
}

func TestTooLongForTheLimit(t *testing.T) {
	a := newAccount(SubBand{DutyCycle: 0.001})
	if got := a.wait(epoch, data(4923*time.Millisecond)); got != forever {
		t.Errorf("a packet longer than an hour's limit waits %v", got)
	}
	if got := a.wait(epoch, data(3100*time.Millisecond)); got != forever {
		t.Errorf("a packet longer than the share of data waits %v", got)
	}
	if got := a.wait(epoch, ack(3*time.Second)); got != 0 {
		t.Errorf("an acknowledgment waits %v", got)
	}
}

func TestLedger(t *testing.T) {
	var l ledger
	at := func(d time.Duration) time.Time { return epoch.Add(d) }
	l.add(at(0), time.Second)
	l.add(at(10*time.Second), time.Second)   // in the same slot
	l.add(at(20*time.Second), 2*time.Second) // in the next one
	for _, tt := range []struct {
		amount, want time.Duration
	}{
		{1, time.Hour - 5*time.Second}, {2 * time.Second, time.Hour - 5*time.Second},
		{2*time.Second + 1, time.Hour + 10*time.Second}, {4 * time.Second, time.Hour + 10*time.Second},
		{4*time.Second + 1, forever},
	} {
		if got := l.release(at(20*time.Second), tt.amount); got != tt.want {
			t.Errorf("%v comes free after %v, want %v", tt.amount, got, tt.want)
		}
	}
	for _, tt := range []struct{ at, want time.Duration }{
		{time.Hour, 4 * time.Second},
		{time.Hour + 15*time.Second - 1, 4 * time.Second},
		{time.Hour + 15*time.Second, 2 * time.Second},
		{time.Hour + 30*time.Second, 0},
	} {
		if l.advance(at(tt.at)); l.total != tt.want {
			t.Errorf("after %v: %v, want %v", tt.at, l.total, tt.want)
		}
	}
	// A clock that goes back forgets nothing, one that leaps ahead all.
	l.add(at(2*time.Hour), time.Second)
	l.add(at(time.Hour), time.Second)
	if l.total != 2*time.Second {
		t.Errorf("%v after the clock went back", l.total)
	}
	l.advance(at(1000 * time.Hour))
	if l.total != 0 || l.used != [slots]time.Duration{} {
		t.Errorf("%v after a long time", l.total)
	}
	l.add(at(1000*time.Hour), time.Second)
	if got := l.release(at(1000*time.Hour), 1); got != time.Hour+15*time.Second {
		t.Errorf("comes free after %v", got)
	}
}

func TestNoLimit(t *testing.T) {
	a := newAccount(SubBand{})
	for range 100 {
		if got := a.wait(epoch, data(time.Hour)); got != 0 {
			t.Fatalf("wait %v", got)
		}
		a.booked += time.Hour
		a.settle(epoch, data(time.Hour), time.Hour)
	}
	if u := a.usage(epoch); u.Used != 100*time.Hour || u.Left != 0 || u.Limit != 0 {
		t.Errorf("%+v", u)
	}
}

func BenchmarkAccount(b *testing.B) {
	b.ReportAllocs()
	a := newAccount(onePercent)
	p := data(100 * time.Millisecond)
	now := epoch
	for b.Loop() {
		now = now.Add(time.Second)
		if a.wait(now, p) == 0 {
			a.booked += p.airtime
			a.settle(now, p, p.airtime)
		}
	}
}
