package lora

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// bareRadio sends in virtual time.
type bareRadio struct {
	mu     sync.Mutex
	cfg    Config
	delay  time.Duration // before the packet
	err    error         // of Send
	sent   []sent
	closed bool
}

func (r *bareRadio) Config() Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cfg.WithDefaults()
}

func (r *bareRadio) tune(cfg Config) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cfg = cfg
}

func (r *bareRadio) Send(ctx context.Context, packet []byte) error {
	time.Sleep(r.delay)
	if r.err != nil {
		return r.err
	}
	began := time.Now()
	select {
	case <-time.After(r.cfg.Airtime(len(packet))):
	case <-ctx.Done():
		return ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, sent{began, time.Now(), rankOf(packet)})
	return nil
}

func (r *bareRadio) Receive(ctx context.Context, buf []byte) (Reception, error) {
	return Reception{N: copy(buf, "heard")}, nil
}

func (r *bareRadio) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return nil
}

// A frame of 127 bytes, secured, 210.176 ms at SF7, and an acknowledgment, 30.976 ms.
var (
	longFrame = append([]byte{0x69, 0x98}, make([]byte, 125)...)
	ackFrame  = []byte{0x02, 0x00, 0x17, 0, 0}
)

const (
	longAirtime = 210176 * time.Microsecond
	dataLimit   = 34200 * time.Millisecond // of 36 s
	dataPackets = int(dataLimit / longAirtime)
)

// fresh is Govern for a radio that has sent nothing before.
func fresh(r Radio, options ...GovernorOption) *Governor {
	return Govern(r, append(options, WithAirtimeStore(new(MemoryAirtimeStore)))...)
}

// exhaust sends data until there is no airtime left for it.
func exhaust(t *testing.T, g *Governor) (packets int) {
	t.Helper()
	for ; ; packets++ {
		switch err := g.Send(t.Context(), longFrame); {
		case errors.Is(err, ErrDutyCycle):
			return packets
		case err != nil:
			t.Fatal(err)
		}
	}
}

func TestGovernorRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &bareRadio{}
		g := fresh(r)
		if got, want := exhaust(t, g), dataPackets; got != want {
			t.Errorf("%d packets in an hour, want %d", got, want)
		}
		before := time.Now()
		if err := g.Send(t.Context(), longFrame); err != ErrDutyCycle || time.Since(before) != 0 {
			t.Errorf("%v after %v", err, time.Since(before))
		}
		if err := g.Send(t.Context(), ackFrame); err != nil {
			t.Errorf("an acknowledgment: %v", err)
		}
		// 868 MHz is in two sub-bands: both count all.
		usage := g.Usage()
		if len(usage) != 2 || usage[0].SubBand.Name != "L" || usage[1].SubBand.Name != "M" {
			t.Fatalf("%+v", usage)
		}
		used := time.Duration(dataPackets)*longAirtime + 30976*time.Microsecond
		for i, u := range usage {
			if u.Limit != 36*time.Second || u.Used != used || u.Left != u.Limit-used || u.Refused != uint64(2-2*i) || u.Delayed != 0 {
				t.Errorf("%+v", u)
			}
		}
		if got, want := usage[0].String(), "L: 34.079s of 36s used"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		time.Sleep(DutyCycleWindow + slotTime)
		if err := g.Send(t.Context(), longFrame); err != nil {
			t.Errorf("after an hour: %v", err)
		}
	})
}

func TestGovernorWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &bareRadio{cfg: Config{Frequency: 868_300 * KHz}}
		g := fresh(r, WithMaxWait(2*DutyCycleWindow))
		began := time.Now()
		for range dataPackets {
			if err := g.Send(t.Context(), longFrame); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took > 35*time.Second {
			t.Fatalf("the first packets took %v", took)
		}
		waiting := make(chan error)
		go func() { waiting <- g.Send(t.Context(), longFrame) }()
		synctest.Wait()
		before := time.Now()
		if err := g.Send(t.Context(), ackFrame); err != nil || time.Since(before) != 30976*time.Microsecond {
			t.Errorf("an acknowledgment, while data waits: %v after %v", err, time.Since(before))
		}
		if err := <-waiting; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < DutyCycleWindow || took > DutyCycleWindow+2*slotTime {
			t.Errorf("it waited %v", took)
		}
		if u := g.Usage()[0]; u.Delayed != 1 || u.Refused != 0 {
			t.Errorf("%+v", u)
		}
		if total, _ := onAir(r.sent, time.Now()); total > 36*time.Second {
			t.Errorf("%v in an hour", total)
		}
	})
}

func TestGovernorStopsWaiting(t *testing.T) {
	for _, tt := range []struct {
		name string
		stop func(g *Governor, cancel context.CancelFunc)
		want error
	}{
		{"context", func(_ *Governor, cancel context.CancelFunc) { cancel() }, context.Canceled},
		{"close", func(g *Governor, _ context.CancelFunc) { g.Close(); g.Close() }, ErrClosed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &bareRadio{}
				g := fresh(r, WithMaxWait(time.Hour))
				for range dataPackets {
					if err := g.Send(t.Context(), longFrame); err != nil {
						t.Fatal(err)
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done := make(chan error)
				go func() { done <- g.Send(ctx, longFrame) }()
				time.Sleep(time.Minute)
				tt.stop(g, cancel)
				if err := <-done; !errors.Is(err, tt.want) {
					t.Errorf("%v, want %v", err, tt.want)
				}
				if len(r.sent) != dataPackets {
					t.Errorf("%d packets sent", len(r.sent))
				}
			})
		})
	}
}

// TestGovernorCountsWhatWasSent: what the radio did not send costs nothing.
func TestGovernorCountsWhatWasSent(t *testing.T) {
	broken := &Error{Op: "send", Err: errors.New("chip silent")}
	for _, tt := range []struct {
		name  string
		err   error
		delay time.Duration
		want  time.Duration
	}{
		{"sent", nil, 0, longAirtime},
		{"sent late", nil, time.Minute, longAirtime},
		{"busy", ErrChannelBusy, time.Second, 0},
		{"size", ErrPacketSize, 0, 0},
		{"closed", ErrClosed, 0, 0},
		{"broken at once", broken, 0, 0},
		{"broken on the way", broken, 100 * time.Millisecond, 100 * time.Millisecond},
		{"broken at the end", broken, time.Second, longAirtime},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := fresh(&bareRadio{cfg: Config{Frequency: 868_300 * KHz}, err: tt.err, delay: tt.delay})
				if err := g.Send(t.Context(), longFrame); err != tt.err {
					t.Errorf("%v, want %v", err, tt.err)
				}
				if got := g.Usage()[0].Used; got != tt.want {
					t.Errorf("%v used, want %v", got, tt.want)
				}
			})
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := fresh(&bareRadio{cfg: Config{Frequency: 868_300 * KHz}})
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if err := g.Send(ctx, longFrame); err != context.DeadlineExceeded {
				t.Error(err)
			}
			if got := g.Usage()[0].Used; got != longAirtime {
				t.Errorf("%v used: the chip may have finished the packet", got)
			}
		})
	})
}

// answerer is a radio that leaves room for acknowledgments.
type answerer struct {
	bareRadio
	answers int
}

func (r *answerer) Answer(ctx context.Context, packet []byte) error {
	r.answers++
	return r.Send(ctx, packet)
}

// TestGovernorAnswers: an answer is handed on as one, if the radio knows answers, and costs what other packets cost.
func TestGovernorAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &answerer{}
		for want, radio := range []Radio{&r.bareRadio, r} {
			g := fresh(radio)
			for range 2 {
				if err := g.Answer(t.Context(), longFrame); err != nil {
					t.Fatal(err)
				}
			}
			if err := g.Send(t.Context(), longFrame); err != nil {
				t.Fatal(err)
			}
			if used := g.Usage()[0].Used; r.answers != 2*want || used != 3*longAirtime {
				t.Errorf("%d answers, %v used", r.answers, used)
			}
		}
	})
}

// TestGovernorLogs: a line when it begins, and one when it is over.
func TestGovernorLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var g *Governor
		g = fresh(&bareRadio{cfg: Config{Frequency: 868_300 * KHz}}, WithLogger(slog.New(asking{
			slog.NewTextHandler(&log, nil), func() { g.Usage() },
		})))
		for end := time.Now().Add(3 * time.Hour); time.Now().Before(end); time.Sleep(5 * time.Second) {
			if err := g.Send(t.Context(), longFrame); err != nil && err != ErrDutyCycle {
				t.Fatal(err)
			}
		}
		time.Sleep(30 * time.Minute)
		for range 3 {
			g.Send(t.Context(), longFrame)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], "subband=M used=34.") ||
			!strings.Contains(lines[0], "limit=36s") || !strings.Contains(lines[1], "level=INFO") {
			t.Errorf("log:\n%s", log.String())
		}
	})
}

// asking is a handler that asks the governor back.
type asking struct {
	slog.Handler
	ask func()
}

func (a asking) Handle(ctx context.Context, r slog.Record) error {
	a.ask()
	return a.Handler.Handle(ctx, r)
}

func TestGovernorLimits(t *testing.T) {
	for _, tt := range []struct {
		name    string
		cfg     Config
		options []GovernorOption
		want    map[string]time.Duration
	}{
		{"default", Config{}, nil, map[string]time.Duration{"L": 36 * time.Second, "M": 36 * time.Second}},
		{"a tenth", Config{Frequency: 869_525 * KHz}, nil, map[string]time.Duration{"P": 6 * time.Minute}},
		{"little power", Config{Frequency: 869_850 * KHz, TxPower: 7}, nil, map[string]time.Duration{"869.7 MHz, 5 mW": 0}},
		{"more power", Config{Frequency: 869_850 * KHz}, nil, map[string]time.Duration{"869.7 MHz, 25 mW": 36 * time.Second}},
		{"band edge", Config{Frequency: 863 * MHz}, nil, map[string]time.Duration{"K": 3600 * time.Millisecond}},
		{"outside", Config{Frequency: 869_300 * KHz}, nil, map[string]time.Duration{"outside": 3600 * time.Millisecond}},
		{"US", Config{Region: US915}, nil, map[string]time.Duration{"US915": 0}},
		{"AS", Config{Region: AS923}, nil, map[string]time.Duration{"AS923": 36 * time.Second}},
		{"off", Config{Frequency: 868_300 * KHz}, []GovernorOption{WithDutyCycle(0)}, map[string]time.Duration{"M": 0}},
		{"all", Config{Frequency: 868_300 * KHz}, []GovernorOption{WithDutyCycle(1)}, map[string]time.Duration{"M": 0}},
		{"own", Config{Region: US915}, []GovernorOption{WithDutyCycle(100.0 / 3600), WithLogger(nil)}, map[string]time.Duration{"US915": 100 * time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := fresh(&bareRadio{cfg: tt.cfg}, tt.options...)
			usage := g.Usage()
			if len(usage) != len(tt.want) {
				t.Errorf("%+v", usage)
			}
			for _, u := range usage {
				if limit, ok := tt.want[u.SubBand.Name]; !ok || u.Limit != limit {
					t.Errorf("%s: %v an hour, want %v", u.SubBand.Name, u.Limit, limit)
				}
			}
		})
	}
}

// TestGovernorRetunes: each sub-band has a budget of its own, and remembers it.
func TestGovernorRetunes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &bareRadio{cfg: Config{Frequency: 868_300 * KHz}}
		g := fresh(r)
		exhaust(t, g)
		r.tune(Config{Frequency: 866 * MHz})
		if got := exhaust(t, g); got != dataPackets {
			t.Errorf("%d packets in the other sub-band", got)
		}
		r.tune(Config{Frequency: 868_300 * KHz})
		if err := g.Send(t.Context(), longFrame); err != ErrDutyCycle {
			t.Errorf("back again: %v", err)
		}
		if u := g.Usage(); len(u) != 2 || u[0].Used != u[1].Used {
			t.Errorf("%+v", u)
		}
	})
}

func TestGovernorManySenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &bareRadio{cfg: Config{Frequency: 868_300 * KHz}}
		g := fresh(r)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				for g.Send(t.Context(), longFrame) == nil {
				}
			})
		}
		wg.Wait()
		if len(r.sent) != dataPackets {
			t.Errorf("%d packets", len(r.sent))
		}
	})
}

func TestGovernorPassesOn(t *testing.T) {
	r := &bareRadio{cfg: Config{Region: AU915}}
	g := fresh(r)
	if g.Config() != r.Config() {
		t.Errorf("%+v", g.Config())
	}
	buf := make([]byte, 10)
	if p, err := g.Receive(t.Context(), buf); err != nil || string(buf[:p.N]) != "heard" {
		t.Errorf("%q, %v", buf[:p.N], err)
	}
	if _, ok := g.Clock().(wallClock); !ok {
		t.Errorf("clock %T", g.Clock())
	}
	if _, ok := Govern(clockedRadio{}).Clock().(frozen); !ok {
		t.Error("the radio's own clock was not taken")
	}
	if err := g.Close(); err != nil || !r.closed {
		t.Errorf("not closed: %v", err)
	}
}

func TestGovernorAllocates(t *testing.T) {
	g := fresh(instantRadio{})
	if n := testing.AllocsPerRun(100, func() { g.Send(context.Background(), longFrame) }); n > 0 {
		t.Errorf("%v allocations per packet", n)
	}
}

// instantRadio is not on the air at all.
type instantRadio struct{ plainRadio }

func (instantRadio) Config() Config { return Config{Frequency: 868_300 * KHz}.WithDefaults() }
