package lora

import (
	"math/rand/v2"
	"testing"
	"time"
)

var epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

func data(airtime time.Duration) parcel { return parcel{airtime: airtime} }

func control(airtime time.Duration) parcel { return parcel{airtime, rankControl} }

func ack(airtime time.Duration) parcel { return parcel{airtime, rankAck} }

// onePercent is a sub-band with 36 s an hour.
var onePercent = SubBand{Name: "test", DutyCycle: 0.01}

// sent is what a simulated sender had on the air.
type sent struct {
	from, to time.Time
	rank     rank
}

// onAir returns the airtime within an hour that ends at a time, all and that without
// acknowledgments.
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
			if s.rank < rankAck {
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
				switch n := r.IntN(10); {
				case n < tt.acks:
					p = ack(31 * time.Millisecond)
				case n%2 == 0:
					p.rank = rankControl
				}
				wait := a.wait(now, p)
				if wait > 0 {
					if p.rank == rankAck {
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
				log = append(log, sent{began, now, p.rank})
				now = now.Add(tt.pause(r))
			}
			limit := a.limit
			for i := 0; i < len(log); i += 1 + len(log)/300 {
				for _, end := range []time.Time{log[i].to, log[i].from.Add(DutyCycleWindow), log[i].from.Add(DutyCycleWindow / 2)} {
					total, data := onAir(log, end)
					if total > limit || data > a.share(controlShare) {
						t.Fatalf("hour to %v: %v on the air, %v of it frames; limit %v", end.Sub(epoch), total, data, limit)
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

// sender sends packets one after the other.
type sender struct {
	*account
	now time.Time
}

// send sends a packet if it may.
func (s *sender) send(p parcel) bool {
	if s.wait(s.now, p) > 0 {
		return false
	}
	s.booked += p.airtime
	s.now = s.now.Add(p.airtime)
	s.settle(s.now, p, p.airtime)
	return true
}

// sendAll sends as many packets as it may, without a pause, and returns their number.
func (s *sender) sendAll(p parcel) (n int) {
	for s.send(p) {
		n++
	}
	return n
}

// TestRanks: when data has taken all it may, there is room for control, and then for
// acknowledgments.
func TestRanks(t *testing.T) {
	s := &sender{newAccount(onePercent), epoch}
	step := func(what string, p parcel, up time.Duration) {
		t.Helper()
		s.sendAll(p)
		if used := s.used(s.now); used > up || used < up-p.airtime {
			t.Errorf("%s up to %v, want %v", what, used, up)
		}
		if wait := s.wait(s.now, p); wait == 0 || wait > DutyCycleWindow+slotTime {
			t.Errorf("more %s waits %v", what, wait)
		}
	}
	step("data", data(210*time.Millisecond), 34200*time.Millisecond)
	step("control", control(118*time.Millisecond), 35280*time.Millisecond)
	step("acknowledgments", ack(31*time.Millisecond), 36*time.Second)
	if s.send(data(time.Millisecond)) || s.send(control(time.Millisecond)) {
		t.Error("something was sent beyond the limit")
	}
	s.now = s.now.Add(DutyCycleWindow + slotTime)
	if u := s.usage(s.now); u.Used != 0 || u.Left != 36*time.Second || u.Limit != 36*time.Second {
		t.Errorf("%+v after an hour of silence", u)
	}
}

// TestReserve: however much data there is, it never takes what Advertisements need, which are
// sent every 32 s.
func TestReserve(t *testing.T) {
	for _, airtime := range []time.Duration{20 * time.Millisecond, 118 * time.Millisecond, 180 * time.Millisecond} {
		s := &sender{newAccount(onePercent), epoch}
		packets := 0
		for at := epoch; at.Before(epoch.Add(6 * time.Hour)); at = at.Add(32 * time.Second) {
			s.now = at
			if !s.send(control(airtime)) {
				t.Fatalf("%v: no Advertisement after %v, %v used", airtime, at.Sub(epoch), s.used(at))
			}
			packets += s.sendAll(data(210 * time.Millisecond))
		}
		room := 6 * (34200*time.Millisecond - time.Hour/(32*time.Second)*airtime)
		if sent := time.Duration(packets) * 210 * time.Millisecond; sent > room || sent < room*8/10 {
			t.Errorf("%v: %v of data sent, there was room for %v", airtime, sent, room)
		}
	}
}

func TestRankOf(t *testing.T) {
	for _, tt := range []struct {
		packet []byte
		want   rank
	}{
		{[]byte{0x02, 0x00, 0x17, 0, 0}, rankAck},
		{[]byte{0x12, 0x00, 0x17, 0, 0}, rankAck}, // frame pending
		{[]byte{0x02, 0x10, 0x17, 0, 0}, rankAck}, // of 802.15.4-2006
		{[]byte{0x02, 0x00, 0x17, 0, 0, 0}, rankData},
		{[]byte{0x41, 0xd8, 1, 0, 0, 0}, rankControl}, // MLE to all
		{[]byte{0x61, 0xdc, 1, 0, 0, 0}, rankControl}, // MLE to one
		{[]byte{0x69, 0x98, 1, 0, 0, 0}, rankData},    // secured
		{[]byte{0x6b, 0x98, 1, 0, 0, 0}, rankData},    // a data request
		{[]byte("hello"), rankData},
		{nil, rankData},
	} {
		if got := rankOf(tt.packet); got != tt.want {
			t.Errorf("%x: rank %d, want %d", tt.packet, got, tt.want)
		}
	}
}

func TestTooLongForTheLimit(t *testing.T) {
	a := newAccount(SubBand{DutyCycle: 0.001})
	if got := a.wait(epoch, data(4923*time.Millisecond)); got != forever {
		t.Errorf("a packet longer than an hour's limit waits %v", got)
	}
	if got := a.wait(epoch, data(3500*time.Millisecond)); got != forever {
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

// TestNeed: after a burst, what the higher ranks need until it is forgotten is what they send until then; in a steady state it is nothing, since as
// much is forgotten; and there is a bound.
func TestNeed(t *testing.T) {
	s := &sender{newAccount(onePercent), epoch}
	for range 100 {
		s.send(control(100 * time.Millisecond)) // 10 s of a mesh that forms
	}
	if got := s.usage(s.now).Need; got < 21600*time.Millisecond || got > 21700*time.Millisecond {
		t.Errorf("%v at once, want the bound", got)
	}
	pass := func(d time.Duration) {
		for end := s.now.Add(d); s.now.Before(end); s.now = s.now.Add(15 * time.Second) {
			s.send(control(50 * time.Millisecond)) // 12 s in an hour
		}
	}
	pass(30 * time.Minute)
	if got := s.usage(s.now).Need; got < 5*time.Second || got > 7*time.Second {
		t.Errorf("%v after half an hour, want 6 s for the other half", got)
	}
	pass(2 * time.Hour)
	if got := s.usage(s.now).Need; got > time.Second {
		t.Errorf("%v in the steady state", got)
	}
	if got := newAccount(SubBand{}).usage(epoch).Need; got != 0 {
		t.Errorf("%v without a limit", got)
	}
}
