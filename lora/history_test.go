package lora

import (
	"bytes"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var mBand = Config{Frequency: 868_300 * KHz}

// babble starts anew some times, attaches, sends as much data as it may for a while, and ends: in order, or as if the power
// was cut. It returns what was on the air.
func babble(t *testing.T, starts int, each time.Duration, crash bool, options ...GovernorOption) []sent {
	t.Helper()
	var log []sent
	control := append([]byte{0x41, 0xd8}, make([]byte, 61)...)
	for range starts {
		r := &bareRadio{cfg: mBand}
		g := Govern(r, options...)
		for range 20 { // it attaches
			if err := g.Send(t.Context(), control); err != nil && err != ErrDutyCycle {
				t.Fatal(err)
			}
		}
		for end := time.Now().Add(each); time.Now().Before(end); {
			if err := g.Send(t.Context(), longFrame); err != nil && err != ErrDutyCycle {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if !crash {
			g.Close()
		}
		log = append(log, r.sent...)
	}
	return log
}

// TestStartsInAnHour starts five times within one hour (EN 300 220-1, section 5.4: any hour): with a store all of the starts together
// send no more than the hour allows. Without one they cannot know; they send less than a third of what five hours allow.
func TestStartsInAnHour(t *testing.T) {
	for _, tt := range []struct {
		name         string
		crash, store bool
		least, most  time.Duration
	}{
		{"without a store", false, false, 30 * time.Second, 54 * time.Second},
		{"with a store", false, true, 25 * time.Second, 36 * time.Second},
		{"power cuts", true, true, 22 * time.Second, 36 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var options []GovernorOption
				if tt.store {
					options = append(options, WithAirtimeStore(new(MemoryAirtimeStore)))
				}
				log := babble(t, 5, 12*time.Minute, tt.crash, options...)
				total, _ := onAir(log, time.Now())
				t.Logf("%v on the air", total)
				if total > tt.most || total < tt.least {
					t.Errorf("%v on the air in an hour, not between %v and %v", total, tt.least, tt.most)
				}
			})
		})
	}
}

// TestAnyHourAcrossStarts looks at every hour of a day in which a program starts and crashes at random.
func TestAnyHourAcrossStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 6))
		store := WithAirtimeStore(new(MemoryAirtimeStore))
		var log []sent
		for end := time.Now().Add(24 * time.Hour); time.Now().Before(end); time.Sleep(upTo(rng, 20*time.Minute)) {
			log = append(log, babble(t, 1, upTo(rng, 2*time.Hour), rng.IntN(2) == 0, store)...)
		}
		for _, s := range log {
			if total, _ := onAir(log, s.to); total > 36*time.Second {
				t.Fatalf("%v in the hour to %v", total, s.to)
			}
		}
	})
}

// TestUnknownPast: with no word of what was sent before, there is enough for attaching at once, and some data.
func TestUnknownPast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Govern(&bareRadio{cfg: mBand})
		parentRequest := append([]byte{0x41, 0xd8}, make([]byte, 61)...)
		for n := range 20 {
			if err := g.Send(t.Context(), parentRequest); err != nil {
				t.Errorf("control packet %d: %v", n, err)
			}
		}
		if err := g.Send(t.Context(), ackFrame); err != nil {
			t.Errorf("acknowledgment: %v", err)
		}
		if n := exhaust(t, g); n < 10 || n > 20 {
			t.Errorf("%d packets of data at once", n)
		}
		time.Sleep(6 * time.Minute)
		if err := g.Send(t.Context(), longFrame); err != nil {
			t.Errorf("data after some minutes: %v", err)
		}
		time.Sleep(time.Hour + slotTime)
		if used := g.Usage()[0].Used; used != 0 {
			t.Errorf("%v used after an hour of silence", used)
		}
	})
}

// TestUnknownPastOfAnotherSubBand: an hour after the start it is known that nothing was sent there.
func TestUnknownPastOfAnotherSubBand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &bareRadio{cfg: mBand}
		g := Govern(r)
		time.Sleep(30 * time.Minute)
		r.tune(Config{Frequency: 866 * MHz})
		_ = g.Send(t.Context(), ackFrame)
		if used := g.Usage()[1].Used; used < 14*time.Second || used > 15*time.Second {
			t.Errorf("half an hour later %v count as used of the sub-band", used)
		}
		time.Sleep(time.Hour)
		r.tune(Config{Frequency: 864 * MHz})
		_ = g.Send(t.Context(), ackFrame)
		if used := g.Usage()[2].Used; used != 30976*time.Microsecond {
			t.Errorf("after an hour %v count as used of a sub-band in which nothing was sent", used)
		}
	})
}

// TestStoredSubBands: a record of one in which the radio is not any more is kept.
func TestStoredSubBands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(MemoryAirtimeStore)
		for _, f := range []Frequency{868_300 * KHz, 866 * MHz, 868_300 * KHz} {
			g := Govern(&bareRadio{cfg: Config{Frequency: f}}, WithAirtimeStore(store))
			if err := g.Send(t.Context(), longFrame); err != nil {
				t.Fatal(err)
			}
			g.Close()
		}
		sent, _ := store.LoadAirtime()
		if len(sent) != 2 || sent[0].SubBand != "M" || sent[0].Used[0] != 2*longAirtime || sent[1].Used[0] != longAirtime {
			t.Errorf("%+v", sent)
		}
	})
}

// TestStoredByAClockThatWasAhead: what it has stored is no older than now.
func TestStoredByAClockThatWasAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(MemoryAirtimeStore)
		g := Govern(&bareRadio{cfg: mBand}, WithAirtimeStore(store))
		exhaust(t, g)
		g.Close()
		store.sent[0].Time = store.sent[0].Time.Add(50 * time.Hour)
		g = Govern(&bareRadio{cfg: mBand}, WithAirtimeStore(store))
		if err := g.Send(t.Context(), longFrame); err != ErrDutyCycle {
			t.Error(err)
		}
		time.Sleep(DutyCycleWindow + slotTime)
		if err := g.Send(t.Context(), longFrame); err != nil {
			t.Errorf("an hour later: %v", err)
		}
	})
}

// brokenStore neither reads nor writes.
type brokenStore struct{ writes int }

func (*brokenStore) LoadAirtime() ([]SentAirtime, error) { return nil, errors.New("no disk") }

func (b *brokenStore) SaveAirtime([]SentAirtime) error {
	b.writes++
	return errors.New("no disk")
}

// TestBrokenAirtimeStore: the past is as unknown as without a store, and the log says so once each way.
func TestBrokenAirtimeStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		store := new(brokenStore)
		g := Govern(&bareRadio{cfg: mBand}, WithAirtimeStore(store), WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		if used := g.Usage()[0].Used; used < 23*time.Second {
			t.Errorf("%v used", used)
		}
		time.Sleep(2 * time.Hour)
		if n := exhaust(t, g); n != dataPackets {
			t.Errorf("%d packets", n)
		}
		g.Close()
		if n := strings.Count(log.String(), "no disk"); n != 2 || store.writes > 40 {
			t.Errorf("%d writes, log:\n%s", store.writes, &log)
		}
	})
}

// TestStoreIsWrittenSeldom: a flash card lives long.
func TestStoreIsWrittenSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(brokenStore)
		g := Govern(&bareRadio{cfg: mBand}, WithAirtimeStore(store))
		for end := time.Now().Add(10 * time.Hour); time.Now().Before(end); time.Sleep(time.Second) {
			_ = g.Send(t.Context(), longFrame)
		}
		if store.writes > 10*32 {
			t.Errorf("%d writes in ten hours", store.writes)
		}
	})
}

// TestGovernorClockGoesBack: a radio's clock that is set back by a day holds nobody up for longer than an hour.
func TestGovernorClockGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &setRadio{bareRadio: bareRadio{cfg: mBand}}
		g := fresh(r)
		exhaust(t, g)
		r.ahead = -24 * time.Hour
		if err := g.Send(t.Context(), longFrame); err != ErrDutyCycle {
			t.Error(err)
		}
		time.Sleep(DutyCycleWindow + slotTime)
		if err := g.Send(t.Context(), longFrame); err != nil {
			t.Errorf("an hour later: %v", err)
		}
	})
}

// setRadio has a clock that can be set.
type setRadio struct {
	bareRadio
	ahead time.Duration
}

func (r *setRadio) Clock() Clock                    { return r }
func (r *setRadio) Now() time.Time                  { return time.Now().Add(r.ahead) }
func (r *setRadio) Until(t time.Time) time.Duration { return t.Sub(r.Now()) }
