//go:build unix

package program_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim/fakenode"
	"github.com/gopymesh/pymesh/internal/otsim/program"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

func TestMain(m *testing.M) {
	fakenode.Main()
	os.Exit(m.Run())
}

// newGuests puts programs on a LoRa air.
func newGuests(t *testing.T, n int) (*lorasim.Sim, []*program.Guest, []*lorasim.Node) {
	t.Helper()
	t.Setenv(fakenode.Variable, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h, err := program.NewHost(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	s := lorasim.New(lorasim.Options{Propagation: lorasim.Uniform(-100)})
	var guests []*program.Guest
	var nodes []*lorasim.Node
	for i := range n {
		g, err := h.Guest(self, i+1, s.Now())
		if err != nil {
			t.Fatal(err)
		}
		guests, nodes = append(guests, g), append(nodes, s.Add(g, lorasim.Position{}))
	}
	return s, guests, nodes
}

// TestGuestsOnTheAir has a program send: it takes the airtime, all others hear it, and the sender knows when it is done.
func TestGuestsOnTheAir(t *testing.T) {
	s, guests, nodes := newGuests(t, 3)
	s.Run(time.Second)
	if err := guests[0].Begin(s.Now(), "send 41880102030405060708"); err != nil {
		t.Fatal(err)
	}
	nodes[0].Touch()
	s.Run(time.Second)

	for i, g := range guests {
		if _, err := g.Order(s.Now(), "state"); err != nil {
			t.Fatal(err)
		}
		lines := strings.Join(g.Lines(), "\n")
		want := "heard 0b41880102030405060708 "
		if i == 0 {
			want = "sent "
		}
		if !strings.Contains(lines, want) {
			t.Errorf("node %d printed %q, want %q", i+1, lines, want)
		}
	}
	if st := nodes[0].Stats(); st.Sent != 1 || st.Airtime != (lora.Config{}).WithDefaults().Airtime(10) {
		t.Errorf("%+v", st)
	}
}

// TestGuestWaitsForTheAir has two programs send at once: one collides with the other, or waits, but both are told when they are done.
func TestGuestWaitsForTheAir(t *testing.T) {
	s, guests, nodes := newGuests(t, 3)
	for i := range 2 {
		nodes[i].SetManners(lorasim.BoardManners())
		if err := guests[i].Begin(s.Now(), "send 41880102030405060708"); err != nil {
			t.Fatal(err)
		}
		nodes[i].Touch()
	}
	s.Run(time.Second)
	for i, g := range guests[:2] {
		if _, err := g.Order(s.Now(), "state"); err != nil {
			t.Fatal(err)
		}
		if lines := g.Lines(); !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "sent ") }) {
			t.Errorf("node %d printed %q", i+1, lines)
		}
	}
}

func TestGuestTimer(t *testing.T) {
	s, guests, nodes := newGuests(t, 1)
	g := guests[0]
	if _, err := g.Order(s.Now(), "timer 1500"); err != nil {
		t.Fatal(err)
	}
	nodes[0].Touch()
	var at time.Time
	g.Heard = func() {
		if slices.Contains(g.Lines(), "timer 1500000") {
			at = s.Now()
		}
	}
	begin := s.Now()
	s.Run(3 * time.Second)
	if got := at.Sub(begin); got != 1500*time.Millisecond {
		t.Errorf("timer after %v", got)
	}
}

func TestGuestErrors(t *testing.T) {
	s, guests, nodes := newGuests(t, 1)
	g := guests[0]
	var own *program.CommandError
	if _, err := g.Order(s.Now(), "dance"); !errors.As(err, &own) || g.Err() != nil {
		t.Errorf("a command that is none: %v, %v", err, g.Err())
	}
	g.HandleFrame(s.Now(), make([]byte, 200), -100)
	if g.Dropped() != 1 || g.Err() != nil {
		t.Errorf("a frame too long: %d dropped, %v", g.Dropped(), g.Err())
	}
	g.Kill()
	if err := g.Begin(s.Now().Add(time.Second), "state"); err == nil || g.Err() == nil {
		t.Error("a program that is gone takes a command")
	}
	nodes[0].Touch()
	s.Run(time.Second)
	if _, ok := g.NextTimeout(); ok {
		t.Error("a guest that is gone has a timer")
	}
}

func TestNodeIDs(t *testing.T) {
	h, err := program.NewHost(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, id := range []int{0, -1, 34} {
		if _, err := h.Start("true", id, time.Now(), func([]byte) {}, func() {}); err == nil {
			t.Errorf("node id %d is taken", id)
		}
	}
	if _, err := h.Start("/no/such/program", 1, time.Now(), func([]byte) {}, func() {}); err == nil {
		t.Error("a program that is not there starts")
	}
}
