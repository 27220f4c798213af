//go:build unix

package otsim

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/pcap"
)

// machine is a station that notes what happens to it. It answers a frame that asks for
// it (the acknowledgement request bit) with the 5 bytes of an acknowledgement.
type machine struct {
	log     []string
	timeout time.Time // zero: none
	out     [][]byte
}

func (m *machine) note(now time.Time, format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf("%v ", now.Sub(Epoch))+fmt.Sprintf(format, args...))
}

func (m *machine) NextTimeout() (time.Time, bool) { return m.timeout, !m.timeout.IsZero() }

func (m *machine) HandleTimeout(now time.Time) {
	m.timeout = time.Time{}
	m.note(now, "timeout")
}

func (m *machine) HandleFrame(now time.Time, psdu []byte, rssi int) {
	m.note(now, "frame %x %d", psdu, rssi)
	if psdu[0]&0x20 != 0 {
		m.out = append(m.out, []byte{0x02, 0x00, psdu[2], 0x00, 0x00})
	}
}

func (m *machine) PollTransmit() ([]byte, bool) {
	if len(m.out) == 0 {
		return nil, false
	}
	psdu := m.out[0]
	m.out = m.out[1:]
	return psdu, true
}

func (m *machine) HandleTransmitDone(now time.Time, err error) { m.note(now, "done %v", err) }

func wantLines(t *testing.T, who string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", who, got, want)
	}
}

func TestStations(t *testing.T) {
	c := NewController(t)
	var a, b machine
	c.AddStation(1, &a)
	c.AddStation(2, &b)

	b.timeout = Epoch.Add(2 * time.Second)
	c.Run(time.Second)
	a.out = [][]byte{{0x61, 0x98, 0x07, 0, 0}}
	c.Run(10 * time.Second)

	wantLines(t, "a", a.log, "1.000001s done <nil>", "1.000002s frame 0200070000 -20")
	wantLines(t, "b", b.log, "1.000001s frame 6198070000 -20", "1.000002s done <nil>", "2s timeout")
	if got, want := c.Now(), Epoch.Add(11*time.Second); !got.Equal(want) {
		t.Errorf("time %v, want %v", got, want)
	}
}

// TestOneFrameAtATime shows that a station's second frame waits for the end of its
// first.
func TestOneFrameAtATime(t *testing.T) {
	c := NewController(t)
	var a, b machine
	c.AddStation(1, &a)
	c.AddStation(2, &b)
	a.out = [][]byte{{1}, {2}}
	c.Run(time.Second)
	wantLines(t, "a", a.log, "1µs done <nil>", "2µs done <nil>")
	wantLines(t, "b", b.log, "1µs frame 01 -20", "2µs frame 02 -20")
}

func TestRunUntil(t *testing.T) {
	c := NewController(t)
	var a machine
	c.AddStation(1, &a)
	a.timeout = Epoch.Add(3 * time.Second)
	happened := func() bool { return len(a.log) > 0 }
	if c.RunUntil(2*time.Second, happened) {
		t.Error("finished too early")
	}
	if !c.RunUntil(2*time.Second, happened) {
		t.Error("not finished")
	}
	if got, want := c.Now(), Epoch.Add(3*time.Second); !got.Equal(want) {
		t.Errorf("time %v, want %v", got, want)
	}
}

func TestFilters(t *testing.T) {
	chain := Chain(3, 1, 2)
	for _, tt := range []struct {
		name     string
		filter   Filter
		from, to int
		want     bool
	}{
		{"neighbors", chain, 3, 1, true},
		{"neighbors backwards", chain, 2, 1, true},
		{"over the middle", chain, 3, 2, false},
		{"stranger", chain, 4, 3, false},
		{"the rest", Without(nil, 1), 2, 3, true},
		{"cut off", Without(nil, 1), 2, 1, false},
		{"cut off sender", Without(nil, 1), 1, 2, false},
		{"the rest of a chain", Without(chain, 2), 1, 3, true},
		{"the rest of a chain that is no link", Without(chain, 4), 3, 2, false},
	} {
		if got := tt.filter(tt.from, tt.to, nil); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestFilterOnAir(t *testing.T) {
	c := NewController(t)
	c.SetFilter(Chain(1, 2, 3))
	machines := make([]machine, 3)
	for i := range machines {
		c.AddStation(i+1, &machines[i])
	}
	machines[0].out = [][]byte{{1}}
	c.Run(time.Second)
	c.Remove(2)
	machines[0].out = [][]byte{{2}}
	c.Run(time.Second)
	wantLines(t, "sender", machines[0].log, "1µs done <nil>", "1.000001s done <nil>")
	wantLines(t, "neighbor", machines[1].log, "1µs frame 01 -20")
	wantLines(t, "behind it", machines[2].log)
}

func TestCapture(t *testing.T) {
	c := NewController(t)
	var a machine
	c.AddStation(7, &a)
	a.out = [][]byte{{1, 2, 3}}
	c.Run(time.Second)
	sent := c.Sent()
	if len(sent) != 1 || sent[0].From != 7 || !sent[0].Time.Equal(Epoch.Add(flightTime)) {
		t.Fatalf("sent %v", sent)
	}
	name := filepath.Join(t.TempDir(), "air.pcap")
	if err := c.WriteCapture(name); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := pcap.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	record, err := r.Next()
	if err != nil || !record.Time.Equal(sent[0].Time) || !slices.Equal(record.Data, sent[0].PSDU) {
		t.Errorf("record %v, %v", record, err)
	}
}

func TestProcesses(t *testing.T) {
	c := NewController(t)
	a, b := addFake(t, c, 1), addFake(t, c, 2)
	var s machine
	c.AddStation(3, &s)

	wantLines(t, "answer", a.Command("state"), "idle")
	if _, err := a.TryCommand("fly"); err == nil || err.Error() != "fly: Error 35: InvalidCommand" {
		t.Errorf("error %v", err)
	}
	a.Command("timer 1500")
	c.Run(time.Second)
	a.Send("send 4188010000")
	c.Run(time.Second)

	wantLines(t, "sender", a.Lines(), "sent 1000001", "timer 1500000")
	wantLines(t, "process", b.Lines(), "heard 0b4188010000 1000001")
	wantLines(t, "station", s.log, "1.000001s frame 4188010000 -20")

	s.out = [][]byte{{0x41, 0x88, 2, 0, 0}}
	if line, ok := b.Await("heard", time.Second); !ok || line != "heard 0b4188020000 2000001" {
		t.Errorf("awaited %q, %v", line, ok)
	}
	if line, ok := b.Await("heard", time.Second); ok {
		t.Errorf("awaited %q, which was taken", line)
	}
}

// TestProcessClock shows that a program that is started later has a clock of its own,
// and that one that is removed is gone.
func TestProcessClock(t *testing.T) {
	c := NewController(t)
	a := addFake(t, c, 1)
	c.Run(time.Minute)
	b := addFake(t, c, 2)
	b.Command("timer 10")
	c.Run(time.Second)
	wantLines(t, "second process", b.Lines(), "timer 10000")
	c.Remove(2)
	a.Send("send 01")
	c.Run(time.Second)
	wantLines(t, "first process", a.Lines(), "sent 61000001")
	b = addFake(t, c, 2)
	wantLines(t, "restarted process", b.Command("state"), "idle")
}
