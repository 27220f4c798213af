package lorasim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// beacon is a station that sends a short packet about every period.
type beacon struct {
	rand   *rand.Rand
	period time.Duration
	next   time.Time
	queued bool
	packet [20]byte
	heard  int
}

func newBeacon(i int, start time.Time, period time.Duration) *beacon {
	b := &beacon{rand: rand.New(rand.NewPCG(uint64(i), 0)), period: period}
	b.plan(start)
	return b
}

func (b *beacon) plan(now time.Time) {
	b.next = now.Add(b.period/2 + time.Duration(b.rand.Int64N(int64(b.period))))
}

func (b *beacon) NextTimeout() (time.Time, bool) { return b.next, true }

func (b *beacon) HandleTimeout(now time.Time) {
	b.queued = true
	b.plan(now)
}

func (b *beacon) HandleFrame(time.Time, []byte, int) { b.heard++ }

func (b *beacon) PollTransmit() ([]byte, bool) {
	if !b.queued {
		return nil, false
	}
	b.queued = false
	return b.packet[:], true
}

func (b *beacon) HandleTransmitDone(time.Time, error) {}

// newField puts n beacons on a grid on which each has about 20 neighbors.
func newField(n int, opt Options) *Sim {
	const reach = 1186 // m, with the default settings
	side := int(math.Ceil(math.Sqrt(float64(n))))
	step := reach / math.Sqrt(20/math.Pi)
	s := New(opt)
	for i := range n {
		s.Add(newBeacon(i, s.Now(), time.Minute), Position{X: float64(i%side) * step, Y: float64(i/side) * step})
	}
	return s
}

// The cost of an event: a timeout, the end of listening, the end of a transmission, or a
// packet heard.
func BenchmarkSim(b *testing.B) {
	for _, bb := range []struct {
		name string
		n    int
		opt  Options
	}{
		{"nodes=100", 100, Options{}},
		{"nodes=1000", 1000, Options{}},
		{"nodes=4000", 4000, Options{}},
		{"nodes=100/ideal", 100, Options{PHY: IEEE802154, Ideal: true, Propagation: Uniform(-20)}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			s := newField(bb.n, bb.opt)
			s.Run(5 * time.Minute)
			events := func() uint64 {
				st := s.Stats()
				return 3*(st.Sent+st.Busy) + st.Delivered
			}
			before, now := events(), s.Now()
			b.ReportAllocs()
			for b.Loop() {
				s.Run(time.Second)
			}
			n := events() - before
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
			b.ReportMetric(s.Now().Sub(now).Seconds()/b.Elapsed().Seconds(), "speed")
		})
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{100, 1000, 2000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			for b.Loop() {
				newField(n, Options{})
			}
		})
	}
}

func BenchmarkMove(b *testing.B) {
	s := newField(1000, Options{})
	r := rand.New(rand.NewPCG(1, 0))
	b.ReportAllocs()
	for b.Loop() {
		n := s.nodes[r.IntN(len(s.nodes))]
		to := n.Position()
		to.X += 10 * r.NormFloat64()
		n.Move(to)
	}
}

func TestNoAllocations(t *testing.T) {
	s := newField(100, Options{})
	s.Run(time.Hour)
	if n := testing.AllocsPerRun(10, func() { s.Run(time.Minute) }); n != 0 {
		t.Errorf("%v allocations a minute", n)
	}

	call := func() {}
	if n := testing.AllocsPerRun(10, func() {
		s.After(time.Second, call)
		s.Run(time.Minute)
	}); n != 0 {
		t.Errorf("%v allocations a minute with a call", n)
	}
}

// Airtime is what limits a mesh: the duty cycle of the field says whether the
// benchmark's load is plausible.
func TestFieldIsPlausible(t *testing.T) {
	s := newField(200, Options{Config: lora.Config{SpreadingFactor: lora.SF7}})
	s.Run(time.Hour)
	st := s.Stats()
	if st.Sent < 200*50 || st.Delivered < 8*st.Sent || st.Collided == 0 || st.HalfDuplex == 0 || st.TooWeak == 0 {
		t.Errorf("%+v", st)
	}
}
