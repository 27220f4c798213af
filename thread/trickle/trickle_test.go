package trickle

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

var epoch = time.Unix(0, 0)

// advertisements is how Thread paces the Advertisements of routers.
var advertisements = Config{Imin: time.Second, Imax: 32 * time.Second}

func newTimer(seed uint64) *Timer { return NewTimer(rand.New(rand.NewPCG(seed, 0))) }

// start starts a timer with an interval of Imin.
func start(t *testing.T, seed uint64, c Config) *Timer {
	t.Helper()
	timer := newTimer(seed)
	if err := timer.Start(epoch, c); err != nil {
		t.Fatal(err)
	}
	timer.Reset(epoch)
	return timer
}

// step handles the next timeout at its time.
func step(t *testing.T, timer *Timer) (now time.Time, fire bool) {
	t.Helper()
	now, ok := timer.NextTimeout()
	if !ok {
		t.Fatal("timer does not run")
	}
	if timer.HandleTimeout(now.Add(-1)) {
		t.Fatal("timer fires too early")
	}
	return now, timer.HandleTimeout(now)
}

// TestRFC6206_4_2_Step1: the first I is random in [Imin, Imax].
func TestRFC6206_4_2_Step1(t *testing.T) {
	var shortest, longest time.Duration = time.Hour, 0
	for seed := range uint64(1000) {
		timer := newTimer(seed)
		if err := timer.Start(epoch, advertisements); err != nil {
			t.Fatal(err)
		}
		shortest, longest = min(shortest, timer.Interval()), max(longest, timer.Interval())
	}
	if shortest < time.Second || shortest > 2*time.Second || longest > 32*time.Second || longest < 31*time.Second {
		t.Errorf("first intervals from %v to %v", shortest, longest)
	}
}

// TestRFC6206_4_2_Step2: in each interval t is random in [I/2, I), anew.
func TestRFC6206_4_2_Step2(t *testing.T) {
	const intervals, runs = 8, 200
	var early, late [intervals]bool // in the first and in the last eighth of the interval
	for seed := range uint64(runs) {
		timer := start(t, seed, advertisements)
		begin := epoch
		for i := range intervals {
			interval := timer.Interval()
			at, _ := step(t, timer)
			d := at.Sub(begin)
			if d < interval/2 || d >= interval {
				t.Fatalf("t is %v in an interval of %v", d, interval)
			}
			early[i] = early[i] || d < interval*5/8
			late[i] = late[i] || d >= interval*7/8
			begin, _ = step(t, timer)
		}
	}
	for i := range intervals {
		if !early[i] || !late[i] {
			t.Errorf("interval %d: t does not reach the ends of its range in %d runs", i, runs)
		}
	}
}

// TestRFC6206_4_2_Step3And4: at t the timer fires if less than K consistent messages were heard in this interval, 0 standing for no K.
func TestRFC6206_4_2_Step3And4(t *testing.T) {
	for k := range 4 {
		c := advertisements
		c.K = k
		for heard := range 6 {
			timer := start(t, 1, c)
			for range heard {
				timer.Consistent()
			}
			if _, fire := step(t, timer); fire != (k == 0 || heard < k) {
				t.Errorf("K %d, %d heard: fires: %v", k, heard, fire)
			}
			step(t, timer)
			if _, fire := step(t, timer); !fire { // step 2 has begun a new count
				t.Errorf("K %d: does not fire in the next interval", k)
			}
		}
	}
}

// TestRFC6206_4_2_Step5: an interval ends after I, without a message; the next one is twice as long, up to Imax.
func TestRFC6206_4_2_Step5(t *testing.T) {
	for seed := range uint64(200) {
		timer := start(t, seed, advertisements)
		begin := epoch
		for _, seconds := range []time.Duration{1, 2, 4, 8, 16, 32, 32, 32} {
			interval := seconds * time.Second
			if timer.Interval() != interval {
				t.Fatalf("interval %v, want %v", timer.Interval(), interval)
			}
			if _, fire := step(t, timer); !fire {
				t.Fatalf("does not fire in an interval of %v", interval)
			}
			at, fire := step(t, timer)
			if fire || at.Sub(begin) != interval {
				t.Fatalf("interval of %v ends after %v, fires: %v", interval, at.Sub(begin), fire)
			}
			begin = at
		}
	}
}

// TestRFC6206_4_2_Step5_ImaxBetween: Imax need not be Imin times a power of two, as it is in the RFC.
func TestRFC6206_4_2_Step5_ImaxBetween(t *testing.T) {
	timer := start(t, 1, Config{Imin: 3 * time.Second, Imax: 10 * time.Second})
	for _, seconds := range []time.Duration{3, 6, 10, 10} {
		if timer.Interval() != seconds*time.Second {
			t.Fatalf("interval %v, want %v s", timer.Interval(), int64(seconds))
		}
		step(t, timer)
		step(t, timer)
	}
}

// TestRFC6206_4_2_Step6: an inconsistency begins an interval of Imin, unless that is what there is.
func TestRFC6206_4_2_Step6(t *testing.T) {
	timer := start(t, 1, advertisements)
	before, _ := timer.NextTimeout()
	timer.Reset(epoch.Add(100 * time.Millisecond))
	if after, _ := timer.NextTimeout(); after != before {
		t.Error("Reset changes an interval of Imin")
	}
	for range 6 {
		step(t, timer)
	}
	if timer.Interval() != 8*time.Second {
		t.Fatalf("interval %v", timer.Interval())
	}
	now := epoch.Add(time.Minute)
	timer.Reset(now)
	next, _ := timer.NextTimeout()
	if d := next.Sub(now); timer.Interval() != time.Second || d < time.Second/2 || d >= time.Second {
		t.Errorf("after Reset interval %v, fires after %v", timer.Interval(), d)
	}
}

func TestPlain(t *testing.T) {
	// The Advertisements of router-eligible end devices.
	c := Config{Imin: 570 * time.Second, Imax: 630 * time.Second, Mode: Plain}
	timer := newTimer(1)
	if err := timer.Start(epoch, c); err != nil {
		t.Fatal(err)
	}
	begin := epoch
	lengths := map[time.Duration]bool{}
	for range 100 {
		at, fire := step(t, timer)
		d := at.Sub(begin)
		if !fire || d < c.Imin || d > c.Imax {
			t.Fatalf("fires: %v after %v", fire, d)
		}
		lengths[d.Truncate(10*time.Second)] = true
		begin = at
	}
	if len(lengths) < 6 {
		t.Errorf("lengths of intervals are not random: %v", lengths)
	}
}

func TestEqualImin(t *testing.T) {
	for _, mode := range []Mode{Doubling, Plain} {
		timer := start(t, 1, Config{Imin: 1, Imax: 1, Mode: mode})
		if timer.Interval() != 1 {
			t.Errorf("%v: interval %v", mode, timer.Interval())
		}
		if _, fire := step(t, timer); !fire {
			t.Errorf("%v: does not fire", mode)
		}
	}
}

func TestStop(t *testing.T) {
	timer := newTimer(1)
	check := func(when string) {
		t.Helper()
		if _, ok := timer.NextTimeout(); ok || timer.Running() || timer.Interval() != 0 || timer.HandleTimeout(epoch.Add(time.Hour)) {
			t.Errorf("runs %s", when)
		}
	}
	check("before Start")
	timer.Reset(epoch)
	timer.Consistent()
	check("after Reset of a stopped timer")
	if err := timer.Start(epoch, advertisements); err != nil || !timer.Running() {
		t.Fatal(err)
	}
	timer.Stop()
	check("after Stop")
}

// TestRFC6206_4_1_Parameters: Imin is positive, Imax not below it, and K no negative number.
func TestRFC6206_4_1_Parameters(t *testing.T) {
	for _, c := range []Config{
		{},
		{Imin: 0, Imax: 1},
		{Imin: -1, Imax: 1},
		{Imin: 2, Imax: 1},
		{Imin: 1, Imax: 1, K: -1},
		{Imin: 1, Imax: 1, Mode: 2},
	} {
		timer := newTimer(1)
		if err := timer.Start(epoch, c); !errors.Is(err, ErrConfig) || timer.Running() {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if Doubling.String() != "doubling" || Plain.String() != "plain" || Mode(2).String() != "Mode(2)" {
		t.Error("names of modes")
	}
}

// A late call neither loses a transmission nor makes up for several.
func TestLate(t *testing.T) {
	timer := start(t, 1, advertisements)
	late := epoch.Add(time.Hour)
	if !timer.HandleTimeout(late) {
		t.Error("does not fire")
	}
	if timer.HandleTimeout(late) || timer.Interval() != 2*time.Second {
		t.Error("the end of the interval is missing")
	}
	if timer.HandleTimeout(late) {
		t.Error("fires twice")
	}
}

func TestSameSeed(t *testing.T) {
	a, b := start(t, 7, advertisements), start(t, 7, advertisements)
	for range 50 {
		at, _ := step(t, a)
		if bt, _ := step(t, b); at != bt {
			t.Fatal("timers with the same seed differ")
		}
	}
}

func BenchmarkHandleTimeout(b *testing.B) {
	timer := newTimer(1)
	if err := timer.Start(epoch, advertisements); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		now, _ := timer.NextTimeout()
		timer.HandleTimeout(now)
	}
}

// A shorter Imax ends a longer interval early, a longer one lets the intervals go on growing.
func TestSetImax(t *testing.T) {
	now := time.Unix(0, 0)
	timer := NewTimer(rand.New(rand.NewPCG(1, 2)))
	if err := timer.Start(now, Config{Imin: time.Second, Imax: 64 * time.Second}); err != nil {
		t.Fatal(err)
	}
	timer.Reset(now)
	for timer.Interval() < 64*time.Second {
		now, _ = timer.NextTimeout()
		timer.HandleTimeout(now)
	}
	timer.SetImax(now, 8*time.Second)
	if next, _ := timer.NextTimeout(); timer.Interval() != 8*time.Second || next.Sub(now) > 8*time.Second {
		t.Errorf("interval %v, next in %v", timer.Interval(), next.Sub(now))
	}
	timer.SetImax(now, 32*time.Second)
	for range 6 {
		now, _ = timer.NextTimeout()
		timer.HandleTimeout(now)
	}
	if timer.Interval() != 32*time.Second {
		t.Errorf("interval %v, want it to have grown to 32 s", timer.Interval())
	}
}

// A smaller inconsistency shortens the interval, to no less than Imin, and never lengthens it.
func TestHurry(t *testing.T) {
	for _, tt := range []struct{ interval, to, want time.Duration }{
		{32, 4, 4}, {32, 32, 32}, {8, 16, 8}, {16, 0, 1},
	} {
		now := time.Unix(0, 0)
		timer := NewTimer(rand.New(rand.NewPCG(1, 2)))
		timer.Hurry(now, time.Second) // it does not run
		if err := timer.Start(now, Config{Imin: time.Second, Imax: tt.interval * time.Second}); err != nil {
			t.Fatal(err)
		}
		for timer.Reset(now); timer.Interval() < tt.interval*time.Second; {
			now, _ = timer.NextTimeout()
			timer.HandleTimeout(now)
		}
		timer.Hurry(now, tt.to*time.Second)
		if timer.Interval() != tt.want*time.Second {
			t.Errorf("interval %v of %d s, hurried to %d s", timer.Interval(), tt.interval, tt.to)
		}
	}
}
