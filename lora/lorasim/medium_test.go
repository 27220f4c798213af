package lorasim

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

func TestTopology(t *testing.T) {
	var o Options
	o.Propagation = Uniform(-90)
	b := newBench(o, 4)
	var at time.Duration
	check := func(what, want string) {
		t.Helper()
		for i := range b.st {
			b.st[i].heard = nil
		}
		for i := range b.st {
			b.sendAt(at, i, 10)
			at += time.Second
		}
		b.Run(4 * time.Second)
		var got []string
		for i := range b.st {
			got = append(got, b.st[i].from())
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %q, want %q", what, s, want)
		}
	}
	A, B, C, D := b.nd[0], b.nd[1], b.nd[2], b.nd[3]
	check("all", "BCD ACD ABD ABC")
	b.CutLink(A, B)
	check("A-B cut", "CD CD ABD ABC")
	b.RestoreLink(A, B)
	b.SetLinkFrom(C, D, math.Inf(-1))
	check("C-D one way", "BCD ACD ABD AB")
	b.RestoreLink(C, D)
	b.Partition([]Endpoint{A, B}, []Endpoint{C})
	check("partitioned", "B A  ")
	b.Partition([]Endpoint{A, B})
	check("partitioned anew", "B A D C")
	b.Heal()
	C.SwitchOff()
	check("C off", "BD AD  AB")
	C.SwitchOn()
	D.SetStation(nil)
	old := b.st[3]
	b.st[3] = &script{name: "d"}
	old.heard = nil
	check("D without power", "BC AC AB ")
	b.st[3].outbox = nil
	D.SetStation(b.st[3])
	check("D restarted", "BCd ACd ABd ABC")
	if len(old.heard) != 0 {
		t.Error("the old station still hears")
	}
}

func TestLogDistance(t *testing.T) {
	var o Options
	s := New(o)
	a := s.Add(new(script), Position{})
	b := s.Add(new(script), Position{X: 1000})
	if got, want := s.RSSI(a, b), 14-31.2-105.; math.Abs(got-want) > 1e-9 {
		t.Errorf("%v dBm at 1 km, want %v", got, want)
	}
	b.Move(Position{X: 0.1})
	if got, want := s.RSSI(a, b), 14-31.2; got != want {
		t.Errorf("%v dBm next to each other, want %v", got, want)
	}
	b.Move(Position{3, 4, 12})
	if got, want := s.RSSI(a, b), 14-31.2-35*math.Log10(13); math.Abs(got-want) > 1e-9 {
		t.Errorf("%v dBm at 13 m, want %v", got, want)
	}
	if b.Position() != (Position{3, 4, 12}) {
		t.Errorf("position %v", b.Position())
	}
}

func TestShadowing(t *testing.T) {
	draw := func(seed uint64) (sum, squares float64, first float64) {
		s := New(Options{Seed: seed, Shadowing: 8, Propagation: Uniform(-90)})
		var nodes []*Node
		for range 60 {
			nodes = append(nodes, s.Add(new(script), Position{}))
		}
		n := 0.
		for i, a := range nodes {
			for _, b := range nodes[:i] {
				x := s.RSSI(a, b) + 90
				if s.RSSI(b, a)+90 != x {
					t.Fatal("not the same both ways")
				}
				sum += x
				squares += x * x
				n++
			}
		}
		return sum / n, math.Sqrt(squares / n), s.RSSI(nodes[0], nodes[1])
	}
	mean, deviation, first := draw(1)
	if math.Abs(mean) > 0.6 || math.Abs(deviation-8) > 0.6 {
		t.Errorf("mean %.2f, deviation %.2f", mean, deviation)
	}
	if _, _, again := draw(1); again != first {
		t.Error("not the same for the same seed")
	}
	if _, _, other := draw(2); other == first {
		t.Error("the same for another seed")
	}
}

func TestLoss(t *testing.T) {
	var o Options
	o.Propagation = Uniform(-90)
	o.Loss = 0.3
	o.NoListen = true
	b := newBench(o, 3)
	b.SetLoss(b.nd[0], b.nd[2], 0)
	const n = 2000
	for i := range n {
		b.sendAt(time.Duration(i)*time.Second, 0, 10)
	}
	b.Run(n * time.Second)
	if got := b.nd[2].Stats(); got.Delivered != n || got.Lost != 0 {
		t.Errorf("a link without loss: %+v", got)
	}
	got := b.nd[1].Stats()
	if got.Delivered+got.Lost != n || math.Abs(float64(got.Lost)/n-0.3) > 0.03 {
		t.Errorf("a link with 30 %% loss: %+v", got)
	}
}

// A packet on the air meets a change of the topology.
func TestChangeInFlight(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(b *bench)
		heard  int
	}{
		{"nothing", func(b *bench) {}, 1},
		{"weaker", func(b *bench) { b.SetLink(b.nd[0], b.nd[1], -100) }, 1},
		{"cut", func(b *bench) { b.CutLink(b.nd[0], b.nd[1]) }, 0},
		{"cut and restored", func(b *bench) {
			b.CutLink(b.nd[0], b.nd[1])
			b.SetLink(b.nd[0], b.nd[1], -80)
		}, 0},
		{"receiver off", func(b *bench) { b.nd[1].SwitchOff() }, 0},
		{"sender off", func(b *bench) { b.nd[0].SwitchOff() }, 0},
		{"sender loses power", func(b *bench) { b.nd[0].SetStation(nil) }, 0},
		{"sender restarts", func(b *bench) { b.nd[0].SetStation(new(script)) }, 0},
		{"receiver on another channel", func(b *bench) { b.nd[1].Configure(lora.Config{SpreadingFactor: 9}) }, 0},
		{"other sync word", func(b *bench) { b.nd[0].Configure(lora.Config{SyncWord: 9}) }, 1},
		{"partition", func(b *bench) { b.Partition([]Endpoint{b.nd[1]}) }, 0},
	} {
		b := newBench(noListen, 2)
		b.SetLink(b.nd[0], b.nd[1], -80)
		b.sendAt(0, 0, 30)
		b.After(20*time.Millisecond, func() { tt.change(b) })
		b.Run(time.Second)
		if got := len(b.st[1].heard); got != tt.heard {
			t.Errorf("%s: heard %d", tt.name, got)
		}
		for _, n := range b.nd {
			if n.power != 0 || n.lock != nil || n.state != idle {
				t.Errorf("%s: node %d: %d aW, lock %v, state %v", tt.name, n.ID(), n.power, n.lock, n.state)
			}
		}
	}
}

// After any mixture, what the incremental links say is what a fresh look says.
func TestLinksStayRight(t *testing.T) {
	s := New(Options{Seed: 3, Shadowing: 6})
	r := rand.New(rand.NewPCG(3, 0))
	var nodes []*Node
	for range 30 {
		st := new(script)
		nodes = append(nodes, s.Add(st, Position{X: 4000 * r.Float64(), Y: 4000 * r.Float64()}))
	}
	for range 300 {
		a, b := nodes[r.IntN(len(nodes))], nodes[r.IntN(len(nodes))]
		switch r.IntN(7) {
		case 0:
			s.SetLinkFrom(a, b, -140+60*r.Float64())
		case 1:
			s.RestoreLink(a, b)
		case 2:
			a.Move(Position{X: 4000 * r.Float64(), Y: 4000 * r.Float64()})
		case 3:
			a.SwitchOff()
		case 4:
			a.SwitchOn()
		case 5:
			a.Configure(lora.Config{TxPower: 2 + r.IntN(19), SpreadingFactor: lora.SF7 + lora.SpreadingFactor(r.IntN(2))})
		default:
			s.Partition([]Endpoint{a}, []Endpoint{b})
		}
		for _, a := range nodes {
			i := 0
			for _, b := range nodes {
				rssi := s.strength(&a.antenna, &b.antenna)
				if rssi < b.modem.sensitivity-heardBelow {
					continue
				}
				if i == len(a.links) || a.links[i].to != b.id || a.links[i].power != attowatts(rssi) {
					t.Fatalf("link %d to %d is wrong", a.id, b.id)
				}
				i++
			}
			if i != len(a.links) {
				t.Fatalf("node %d has links too many", a.id)
			}
		}
	}
}
