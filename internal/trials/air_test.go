package trials

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/internal/chipemu"
	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// A scene is what three radios are given to send, and how strongly S hears A and B, which hear nobody. S is the one that is looked at.
type scene struct {
	a, b  float64 // dBm; 0 for no link
	sends []send
}

type send struct {
	at      time.Duration
	from    byte // A, B or S
	size    int
	answers bool
}

// Deeds are what S did.
type deeds struct {
	heard string          // first bytes of what it received, in order
	began []time.Duration // its own packets
}

// Numbers of the radios on the air.
const (
	radioA = iota
	radioB
	radioS
)

func (s scene) options(o *deeds) lorasim.Options {
	return lorasim.Options{Seed: 1, Propagation: lorasim.LinksOnly, Watch: func(t lorasim.Transmission) {
		if t.From == radioS {
			o.began = append(o.began, t.Start.Sub(epoch))
		}
	}}
}

// epoch is when the scene begins.
var epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC) // that of synctest and of lorasim

func (m send) packet() []byte {
	p := make([]byte, m.size)
	p[0] = m.from
	return p
}

const sceneTime = 2 * time.Second

// inVirtualTime plays a scene on a Sim.
func (s scene) inVirtualTime(t *testing.T) (o deeds) {
	sim := lorasim.New(s.options(&o))
	var actors [3]*actor
	var nodes [3]*lorasim.Node
	for i := range actors {
		actors[i] = new(actor)
		nodes[i] = sim.Add(actors[i], lorasim.Position{})
	}
	nodes[radioS].SetManners(driverManners())
	s.link(sim.SetLinkFrom, nodes[radioA], nodes[radioB], nodes[radioS])
	for _, m := range s.sends {
		i := strings.IndexByte("ABS", m.from)
		sim.After(m.at, func() {
			actors[i].out, actors[i].answers = append(actors[i].out, m.packet()), m.answers
			nodes[i].Touch()
		})
	}
	sim.Run(sceneTime)
	o.heard = actors[radioS].heard
	return o
}

// driverManners are those of the driver, with a chip that does not err.
func driverManners() lorasim.Manners {
	m := lorasim.DriverManners(lora.Config{})
	m.CAD = &lorasim.Detection{FalseAlarm: -1}
	return m
}

// link lets S hear the others. They hear nobody, and so never wait.
func (s scene) link(set func(from, to lorasim.Endpoint, rssi float64), a, b, subject lorasim.Endpoint) {
	if s.a != 0 {
		set(a, subject, s.a)
	}
	if s.b != 0 {
		set(b, subject, s.b)
	}
}

// actor is a station that does as it is told.
type actor struct {
	out     [][]byte
	answers bool // the last of out
	heard   string
}

func (a *actor) Answering() bool { return a.answers }

func (*actor) NextTimeout() (time.Time, bool)             { return time.Time{}, false }
func (*actor) HandleTimeout(time.Time)                    {}
func (*actor) HandleTransmitDone(time.Time, error)        {}
func (a *actor) HandleFrame(_ time.Time, p []byte, _ int) { a.heard += string(p[:1]) }

func (a *actor) PollTransmit() ([]byte, bool) {
	if len(a.out) == 0 {
		return nil, false
	}
	p := a.out[0]
	a.out = a.out[1:]
	return p, true
}

// inRealTime plays a scene on an Air, with the chip and its driver in the place of S, or with a radio of the air itself.
func (s scene) inRealTime(t *testing.T, chip bool) (o deeds) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(s.options(&o))
		ctx, cancel := context.WithCancel(context.Background())
		a, b := air.Radio(lora.Config{}, lorasim.Position{}), air.Radio(lora.Config{}, lorasim.Position{})
		radios := []lora.Radio{a, b, nil}
		var end lorasim.Endpoint
		if chip {
			c := sx1276emu.New(air, sx1276emu.Options{
				Transfer: sx1276emu.WireTime(20 * time.Microsecond), OnViolation: func(v sx1276emu.Violation) { t.Errorf("at %v: %v", v.Time, v) },
				CAD: chipemu.CAD{},
			})
			pins := c.Pins()
			pins.CS = nil
			r, err := sx1276.New(c.Port(), pins, lora.Config{}, sx1276.WithClock(c.Clock()))
			if err != nil {
				t.Fatal(err)
			}
			radios[radioS], end = r, c.Antenna()
		} else {
			r := air.Radio(lora.Config{}, lorasim.Position{})
			r.SetManners(driverManners())
			radios[radioS], end = r, r
		}
		s.link(air.SetLinkFrom, a, b, end)
		time.Sleep(time.Second - time.Since(epoch)) // the driver has set its chip up
		var group sync.WaitGroup
		group.Go(func() {
			var buf [lora.MaxPacket]byte
			for {
				if _, err := radios[radioS].Receive(ctx, buf[:]); err != nil {
					return
				}
				o.heard += string(buf[:1])
			}
		})
		for _, m := range s.sends {
			group.Go(func() {
				time.Sleep(m.at)
				r := radios[strings.IndexByte("ABS", m.from)]
				send := r.Send
				if m.answers {
					send = r.(lora.Answerer).Answer
				}
				_ = send(ctx, m.packet()) // what is refused has not begun
			})
		}
		time.Sleep(sceneTime)
		cancel()
		for _, r := range radios {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		group.Wait()
	})
	for i := range o.began {
		o.began[i] -= time.Second
	}
	return o
}

// TestAirsAgree plays scenes in three ways, and finds that the driver on the emulated chip, the radio of an Air and the node of a Sim do the
// same: when the channel is busy, what is received, what collides, and when a packet begins.
func TestAirsAgree(t *testing.T) {
	cfg := lora.Config{}.WithDefaults()
	symbol, long := cfg.SymbolTime(), cfg.Airtime(100)
	const ms = time.Millisecond
	const listen, weak = ms, -100.0 // A and B begin a millisecond after they were told to
	for _, tt := range []struct {
		name  string
		scene scene
		heard string
		began []time.Duration // of S, within a tolerance
		slack time.Duration
	}{
		{"a free channel", scene{weak, 0, []send{{0, 'S', 20, false}}}, "", []time.Duration{1600 * time.Microsecond}, ms},
		{"the third symbol is not noticed", scene{weak, 0, []send{{0, 'A', 100, false}, {3 * symbol, 'S', 20, false}}}, "", []time.Duration{1600*time.Microsecond + 3*symbol}, ms},
		{"the seventh symbol is", scene{weak, 0, []send{{0, 'A', 100, false}, {7 * symbol, 'S', 20, false}}}, "A", []time.Duration{listen + long + 14*ms + 25*ms}, 40 * ms},
		{"nor the payload", scene{weak, 0, []send{{0, 'A', 100, false}, {80 * ms, 'S', 20, false}}}, "A", []time.Duration{listen + long + 14*ms + 25*ms}, 40 * ms},
		{"an acknowledgment follows after the pause", scene{weak, 0, []send{{0, 'A', 100, false}, {listen + long + ms/4, 'S', 5, false}}}, "A", []time.Duration{listen + long + 5*ms}, ms},
		{"another packet leaves room for one", scene{weak, 0, []send{{0, 'A', 100, false}, {listen + long + ms/4, 'S', 6, false}}}, "A", []time.Duration{listen + long + 14*ms + 25*ms}, 40 * ms},
		{"but not an answer", scene{weak, 0, []send{{0, 'A', 100, false}, {listen + long + ms/4, 'S', 60, true}}}, "A", []time.Duration{listen + long + 5*ms}, ms},
		{"nor one that asks for more", scene{weak, 0, []send{{0, 'A', 100, false}, {listen + long + ms/4, 'S', 60, true}, {listen + long + 5*ms + cfg.Airtime(60) + ms, 'S', 40, true}}}, "A", []time.Duration{listen + long + 5*ms, listen + long + 10*ms + cfg.Airtime(60)}, ms},
		{"soon after its own, activity is looked for", scene{weak, 0, []send{{0, 'S', 20, false}, {100 * ms, 'S', 20, false}}}, "", []time.Duration{1600 * time.Microsecond, 103500 * time.Microsecond}, ms / 2},
		{"and found in the payload of a packet that it missed", scene{weak, 0, []send{{0, 'S', 20, false}, {20 * ms, 'A', 100, false}, {70 * ms, 'S', 20, false}}}, "", []time.Duration{ms, 21*ms + long + 25*ms}, 60 * ms},
		{"but not by an acknowledgment, which keeps a gap", scene{weak, 0, []send{{0, 'S', 20, false}, {59 * ms, 'S', 5, false}}}, "", []time.Duration{ms, 1600*time.Microsecond + cfg.Airtime(20) + 5*ms}, ms},
		{"a packet that began while S was sending is lost", scene{weak, 0, []send{{0, 'S', 20, false}, {30 * ms, 'A', 50, false}}}, "", []time.Duration{ms}, ms},
		{"one that begins well after that is heard", scene{weak, 0, []send{{0, 'S', 20, false}, {62 * ms, 'A', 50, false}}}, "A", []time.Duration{ms}, ms},
		{"two of the same strength destroy each other", scene{weak, weak, []send{{0, 'A', 50, false}, {40 * ms, 'B', 50, false}}}, "", nil, 0},
		{"the first one is much stronger", scene{weak + 10, weak, []send{{0, 'A', 50, false}, {40 * ms, 'B', 50, false}}}, "A", nil, 0},
		{"the second one is much stronger, and late", scene{weak, weak + 10, []send{{0, 'A', 50, false}, {40 * ms, 'B', 50, false}}}, "", nil, 0},
		{"the second one is much stronger, and early", scene{weak, weak + 10, []send{{0, 'A', 50, false}, {5 * ms, 'B', 50, false}}}, "B", nil, 0},
		{"one after the other", scene{weak, weak, []send{{0, 'A', 50, false}, {150 * ms, 'B', 50, false}}}, "AB", nil, 0},
		{"too weak", scene{-130, 0, []send{{0, 'A', 50, false}}}, "", nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for way, o := range map[string]deeds{
				"Sim": tt.scene.inVirtualTime(t), "Air": tt.scene.inRealTime(t, false), "driver": tt.scene.inRealTime(t, true),
			} {
				if o.heard != tt.heard || len(o.began) != len(tt.began) {
					t.Errorf("%s: heard %q, want %q; began at %v, want %v", way, o.heard, tt.heard, o.began, tt.began)
					continue
				}
				for i, want := range tt.began {
					if d := o.began[i] - want; d < -tt.slack || d > tt.slack {
						t.Errorf("%s: packet %d began at %v, want %v ± %v", way, i+1, o.began[i], want, tt.slack)
					}
				}
			}
		})
	}
}
