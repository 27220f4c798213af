package lorasim

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// probe is a transceiver whose events a test reads.
type probe struct {
	*Transceiver
	woken int
}

func newProbe(air *Air, cfg lora.Config) *probe {
	p := new(probe)
	p.Transceiver = air.Transceiver(Position{}, func() { p.woken++ })
	p.Configure(Modulation{Config: cfg.WithDefaults()})
	return p
}

func (p *probe) listen() { p.Listen(p.air.Clock().Now()) }

// transmit sends a packet of n bytes.
func (p *probe) transmit(n int) {
	cfg := p.Config()
	p.Transmit(p.air.Clock().Now(), make([]byte, n), cfg.PreambleTime(), cfg.Airtime(n))
}

// seen returns the events since the last call, with their times since begin.
func (p *probe) seen(begin time.Time) string {
	events, now := p.Poll(nil)
	if !now.Equal(p.air.Clock().Now()) {
		return "wrong time"
	}
	var s []string
	for _, e := range events {
		text := [...]string{"", "begins", "spoiled", "lost", "ends", "sent"}[e.Kind]
		if e.Kind == PacketEnds && !e.Intact {
			text = "broken"
		}
		s = append(s, fmt.Sprintf("%s %v %d", text, e.Time.Sub(begin), e.N))
	}
	return strings.Join(s, ", ")
}

func (p *probe) want(t *testing.T, begin time.Time, want string) {
	t.Helper()
	if got := p.seen(begin); got != want {
		t.Errorf("seen %q, want %q", got, want)
	}
}

// probes runs a test with two transceivers and a radio that all hear each other.
func probes(t *testing.T, opt Options, f func(t *testing.T, a, b *probe, r *Radio)) {
	synctest.Test(t, func(t *testing.T) {
		opt.Propagation = Uniform(-90)
		air := NewAir(opt)
		f(t, newProbe(air, lora.Config{}), newProbe(air, lora.Config{}), air.Radio(lora.Config{}, Position{}))
	})
}

func TestTransceiver(t *testing.T) {
	probes(t, Options{}, func(t *testing.T, a, b *probe, r *Radio) {
		begin := time.Now()
		b.listen()
		a.transmit(5)
		b.want(t, begin, "begins 0s 5")
		var buf [lora.MaxPacket]byte
		if got, err := r.Receive(t.Context(), buf[:]); err != nil || got.N != 5 || got.RSSI != -90 || got.SNR != 27 {
			t.Errorf("%+v, %v", got, err)
		}
		a.want(t, begin, "sent 30.976ms 0")
		b.want(t, begin, "ends 30.976ms 5")
		if a.woken != 1 || b.woken != 2 {
			t.Errorf("woken %d and %d times", a.woken, b.woken)
		}
		a.listen()
		if err := r.Send(t.Context(), make([]byte, 21)); err != nil {
			t.Error(err)
		}
		events, _ := a.Poll(nil)
		if len(events) != 2 {
			t.Fatal(events)
		}
		start := begin.Add(31976 * time.Microsecond) // after 1 ms of listening
		want := Event{
			Kind: PacketEnds, Time: start.Add(airtime(21)),
			Start: start, Preamble: 12544 * time.Microsecond, Airtime: airtime(21),
			CodingRate: lora.CR45, RSSI: -90, SNR: -90 - a.NoiseFloor(), Intact: true, N: 21,
		}
		got := events[1]
		got.Start, got.Time = got.Start.Round(0), got.Time.Round(0)
		want.Start, want.Time = want.Start.Round(0), want.Time.Round(0)
		if got != want {
			t.Errorf("%+v\nwant %+v", got, want)
		}
		if s := a.Stats(); s.Sent != 1 || s.Airtime != airtime(5) || s.Delivered != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestTransceiverDeaf(t *testing.T) {
	const symbol = 1024 * time.Microsecond
	for _, late := range []time.Duration{0, 3 * symbol, 3*symbol + 1, 20 * symbol} {
		probes(t, Options{}, func(t *testing.T, a, b *probe, _ *Radio) {
			begin := time.Now()
			a.transmit(5)
			b.Listen(begin.Add(late))
			time.Sleep(time.Second)
			if late <= 3*symbol {
				b.want(t, begin, fmt.Sprintf("begins %v 5, ends 30.976ms 5", late))
			} else {
				b.want(t, begin, "")
			}
			if s := b.Stats(); s.Delivered+s.Deaf != 1 || (s.Deaf == 0) != (late <= 3*symbol) {
				t.Errorf("%v late: %+v", late, s)
			}
			a.transmit(5)
			time.Sleep(20 * time.Millisecond)
			b.Idle()
			time.Sleep(20 * time.Millisecond)
			b.want(t, begin, "")
		})
	}
}

func TestTransceiverDisturbed(t *testing.T) {
	probes(t, Options{}, func(t *testing.T, a, b *probe, r *Radio) {
		begin := time.Now()
		b.listen()
		a.transmit(50)
		time.Sleep(50 * time.Millisecond)
		c := newProbe(b.air, lora.Config{})
		c.transmit(5)
		time.Sleep(time.Second)
		b.want(t, begin, "begins 0s 50, spoiled 50ms 50, broken 97.536ms 50")

		begin = time.Now()
		a.transmit(50)
		time.Sleep(50 * time.Millisecond)
		a.Idle()
		a.want(t, begin, "")
		b.want(t, begin, "begins 0s 50, lost 50ms 50")

		begin = time.Now()
		a.transmit(50)
		time.Sleep(50 * time.Millisecond)
		b.air.CutLink(a, b)
		b.want(t, begin, "begins 0s 50, lost 50ms 50")
		time.Sleep(time.Second)
		b.want(t, begin, "")
		b.air.RestoreLink(a, b)

		begin = time.Now()
		b.air.SetLoss(a, b, 1)
		a.transmit(5)
		time.Sleep(time.Second)
		b.want(t, begin, "begins 0s 5, broken 30.976ms 5")
	})
}

func TestTransceiverChannel(t *testing.T) {
	probes(t, Options{}, func(t *testing.T, a, b *probe, r *Radio) {
		cfg := lora.Config{}.WithDefaults()
		cfg.Frequency += 61 // a step of the synthesizer
		modulation := Modulation{Config: cfg}
		heard := func(want bool) {
			t.Helper()
			a.Configure(modulation)
			b.listen()
			a.transmit(5)
			time.Sleep(time.Second)
			if events, _ := b.Poll(nil); (len(events) == 2) != want {
				t.Errorf("heard %v", events)
			}
		}
		heard(true)
		modulation.Inverted = true
		heard(false)
		modulation.Inverted = false
		modulation.NoCRC = true
		heard(true)
		if s := r.Stats(); s.Delivered != 1 || s.Lost != 1 {
			t.Errorf("%+v", s)
		}
		modulation.Frequency += 1 * lora.KHz
		heard(false)
		modulation.Frequency = 434 * lora.MHz // whatever the region
		heard(false)
		if s := a.Signal(); s > -1000 {
			t.Errorf("signal %v", s)
		}
		modulation.Config = lora.Config{}.WithDefaults()
		a.Configure(modulation)
		a.transmit(5)
		if s := b.Signal(); s != -90 {
			t.Errorf("signal %v", s)
		}
	})
}

func TestTransceiverIdealAir(t *testing.T) {
	probes(t, Options{Ideal: true}, func(t *testing.T, a, b *probe, r *Radio) {
		begin := time.Now()
		a.transmit(5)
		time.Sleep(time.Second)
		b.want(t, begin, "")
		begin = time.Now()
		b.listen()
		a.transmit(5)
		time.Sleep(time.Second)
		b.want(t, begin, "ends 30.976ms 5")
		if s := b.Stats(); s.Deaf != 1 || s.Delivered != 1 {
			t.Errorf("%+v", s)
		}
	})
}
