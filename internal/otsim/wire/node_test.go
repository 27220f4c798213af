package wire

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// recorder is a device that notes what happens to it. It answers each frame with the bytes in reply.
type recorder struct {
	mu      sync.Mutex
	start   time.Time
	log     []string
	timeout time.Time
	out     [][]byte
	reply   []byte
}

func (r *recorder) note(now time.Time, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if !r.start.IsZero() {
		text = fmt.Sprintf("%v %s", now.Sub(r.start), text)
	}
	r.log = append(r.log, text)
}

func (r *recorder) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.log)
}

func (r *recorder) Channel() uint8                 { return 11 }
func (r *recorder) NextTimeout() (time.Time, bool) { return r.timeout, !r.timeout.IsZero() }

func (r *recorder) HandleTimeout(now time.Time) {
	r.timeout = time.Time{}
	r.note(now, "timeout")
}

func (r *recorder) HandleFrame(now time.Time, psdu []byte, rssi int) {
	r.note(now, "frame %x %d", psdu, rssi)
	if r.reply != nil {
		r.out = append(r.out, r.reply)
	}
}

func (r *recorder) PollTransmit() ([]byte, bool) {
	if len(r.out) == 0 {
		return nil, false
	}
	psdu := r.out[0]
	r.out = r.out[1:]
	return psdu, true
}

func (r *recorder) HandleTransmitDone(now time.Time, err error) { r.note(now, "done %v", err) }

// runner is a running place.
type runner interface {
	Run(context.Context, Device, <-chan func(time.Time)) error
	Close() error
}

// start runs a device, and fails the test if it does not end well.
func start(t *testing.T, p runner, d Device) (calls chan func(time.Time)) {
	t.Helper()
	calls = make(chan func(time.Time))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- p.Run(ctx, d, calls) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		p.Close()
	})
	return calls
}

// freeGroup returns a group whose controller's port was free, and a connection there.
func freeGroup(t *testing.T) (Group, *net.UDPConn) {
	t.Helper()
	for offset := MaxPortOffset; offset > 0; offset-- {
		g, err := NewGroup(offset)
		if err != nil {
			t.Fatal(err)
		}
		if conn, err := net.ListenUDP("udp4", g.addr(0)); err == nil {
			t.Cleanup(func() { conn.Close() })
			return g, conn
		}
	}
	t.Fatal("no free group of ports")
	return Group{}, nil
}

// controller is the other end of a Virtual.
type controller struct {
	t    *testing.T
	conn *net.UDPConn
	node *net.UDPAddr
}

func (c controller) send(e Event) {
	c.t.Helper()
	b, err := e.AppendBinary(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.conn.WriteToUDP(b, c.node); err != nil {
		c.t.Fatal(err)
	}
}

// want receives events up to an alarm and compares them, each as "type delay data".
func (c controller) want(want ...string) {
	c.t.Helper()
	var got []string
	for {
		if err := c.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			c.t.Fatal(err)
		}
		b := make([]byte, HeaderSize+MaxData)
		n, err := c.conn.Read(b)
		if err != nil {
			c.t.Fatalf("%v after %q, want %q", err, got, want)
		}
		e, err := ParseEvent(b[:n])
		if err != nil {
			c.t.Fatal(err)
		}
		got = append(got, strings.TrimSpace(fmt.Sprintf("%v %d %x", e.Type, e.Delay, e.Data)))
		if e.Type == EventAlarm {
			break
		}
	}
	if !slices.Equal(got, want) {
		c.t.Errorf("got %q, want %q", got, want)
	}
}

func unhex(t *testing.T, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVirtualTurns goes through every kind of turn: each has one alarm, at its end.
func TestVirtualTurns(t *testing.T) {
	g, conn := freeGroup(t)
	v, err := ListenVirtual(g, 5)
	if err != nil {
		t.Fatal(err)
	}
	d := &recorder{start: Epoch, timeout: Epoch.Add(1500 * time.Nanosecond)}
	c := controller{t, conn, g.addr(5)}
	calls := start(t, v, d)
	none := fmt.Sprintf("alarm %d", NoTimer)

	c.want("alarm 2") // unprompted; no timer ends before its time
	c.send(Event{Delay: 1, Type: EventAlarm})
	c.want("alarm 1")
	c.send(Event{Delay: 1, Type: EventAlarm})
	c.want(none)

	// A transmission of its own, asked for by a command, and its echo.
	calls <- func(now time.Time) {
		d.note(now, "command")
		d.out = append(d.out, unhex(t, "4188010000"), unhex(t, "4188020000"))
		d.reply = unhex(t, "0200030000")
	}
	c.want("radio 1 0b4188010000", none)
	c.send(Event{Delay: 1, Type: EventRadio, Data: unhex(t, "0b4188010000")})
	c.want("radio 1 0b4188020000", none)
	// Another node's frame comes before the echo; the answer waits for the radio.
	c.send(Event{Delay: 0, Type: EventRadio, Data: unhex(t, "0b6188030000")})
	c.want(none)
	c.send(Event{Delay: 1, Type: EventRadio, Data: unhex(t, "0b4188020000")})
	c.want("radio 1 0b0200030000", none)
	c.send(Event{Delay: 1, Type: EventRadio, Data: unhex(t, "0b0200030000")})
	c.want(none)

	// An answer to a frame leaves in the turn of the frame.
	c.send(Event{Delay: 100, Type: EventRadio, Data: unhex(t, "0b6188040000")})
	c.want("radio 1 0b0200030000", none)
	c.send(Event{Delay: 1, Type: EventRadio, Data: unhex(t, "0b0200030000")})
	c.want(none)

	// Another channel, nothing at all, another kind of event: the clock moves on.
	c.send(Event{Delay: 1, Type: EventRadio, Data: unhex(t, "0c6188050000")})
	c.want(none)
	c.send(Event{Delay: 1, Type: EventRadio})
	c.want(none)
	c.send(Event{Delay: 1, Type: EventUART, Data: []byte("x")})
	c.want(none)
	c.send(Event{Delay: 1e6, Type: EventAlarm})
	c.want(none)
	calls <- func(now time.Time) { d.note(now, "command") }
	c.want(none)

	if got, want := d.lines(), []string{
		"2µs timeout", "2µs command", "3µs done <nil>", "3µs frame 6188030000 -20", "4µs done <nil>", "5µs done <nil>",
		"105µs frame 6188040000 -20", "106µs done <nil>", "1.000109s command",
	}; !slices.Equal(got, want) {
		t.Errorf("log\n got %q\nwant %q", got, want)
	}
}

func TestVirtualIgnoresGarbage(t *testing.T) {
	g, conn := freeGroup(t)
	v, err := ListenVirtual(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	d := &recorder{start: Epoch}
	c := controller{t, conn, g.addr(1)}
	start(t, v, d)
	none := fmt.Sprintf("alarm %d", NoTimer)
	c.want(none)
	if _, err := conn.WriteToUDP([]byte{1, 2, 3}, c.node); err != nil {
		t.Fatal(err)
	}
	c.send(Event{Delay: 1 << 63, Type: EventAlarm}) // no time to wait for
	c.want(none)
}

// TestVirtualBeforeController: what nobody listened to is in the way of nothing that comes later.
func TestVirtualBeforeController(t *testing.T) {
	g, conn := freeGroup(t)
	conn.Close()
	v, err := ListenVirtual(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	d := &recorder{start: Epoch}
	if err := v.sleep(d); err != nil {
		t.Fatal(err)
	}
	if conn, err = net.ListenUDP("udp4", g.addr(0)); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := controller{t, conn, g.addr(1)}
	start(t, v, d)
	none := fmt.Sprintf("alarm %d", NoTimer)
	c.want(none)
	c.send(Event{Delay: 7, Type: EventAlarm})
	c.want(none)
}

func TestRealTime(t *testing.T) {
	g, _ := freeGroup(t)
	listener, err := net.ListenUDP("udp4", g.addr(ListenerID))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var devices [2]*recorder
	var calls [2]chan func(time.Time)
	for i := range devices {
		r, err := ListenRealTime(g, i+1)
		if err != nil {
			t.Fatal(err)
		}
		devices[i] = &recorder{}
		calls[i] = start(t, r, devices[i])
	}
	calls[1] <- func(time.Time) { devices[1].reply = []byte{2, 0, 3, 0, 0} }
	calls[0] <- func(now time.Time) {
		devices[0].out = append(devices[0].out, []byte{0x61, 0x88, 3, 0, 0})
		devices[0].timeout = now.Add(time.Millisecond)
	}
	deadline := time.Now().Add(10 * time.Second)
	for (len(devices[0].lines()) < 3 || len(devices[1].lines()) < 2) && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	got := devices[0].lines()
	slices.Sort(got)
	if want := []string{"done <nil>", "frame 0200030000 -20", "timeout"}; !slices.Equal(got, want) {
		t.Errorf("sender %q, want %q", got, want)
	}
	if got, want := devices[1].lines(), []string{"frame 6188030000 -20", "done <nil>"}; !slices.Equal(got, want) {
		t.Errorf("receiver %q, want %q", got, want)
	}
	var overheard []string // in any order: the sender comes to the listener last
	for range 2 {
		b := make([]byte, maxFrame)
		n, err := listener.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		overheard = append(overheard, hex.EncodeToString(b[:n]))
	}
	slices.Sort(overheard)
	if want := []string{"0b0200030000", "0b6188030000"}; !slices.Equal(overheard, want) {
		t.Errorf("listener heard %q, want %q", overheard, want)
	}
}

func TestRunEndsWhenClosed(t *testing.T) {
	g, _ := freeGroup(t)
	v, err := ListenVirtual(g, 2)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ListenRealTime(g, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []runner{v, r} {
		ended := make(chan error)
		go func() { ended <- p.Run(t.Context(), &recorder{}, nil) }()
		p.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%T: %v, want %v", p, err, net.ErrClosed)
		}
	}
}

func TestGroups(t *testing.T) {
	for _, tt := range []struct {
		offset, base string
		port         int // of node 1; 0 for an error
	}{
		{"", "", 9001},
		{"1", "", 9035},
		{"0x10", "", 9545},
		{"2", "20000", 20069},
		{"265", "", 0},
		{"-1", "", 0},
		{"one", "", 0},
		{"", "70000", 0},
	} {
		t.Setenv(portOffsetVariable, tt.offset)
		t.Setenv(portBaseVariable, tt.base)
		g, err := EnvironmentGroup()
		if tt.port == 0 {
			if err == nil {
				t.Errorf("%q, %q: no error", tt.offset, tt.base)
			}
		} else if err != nil || g.Port(1) != tt.port {
			t.Errorf("%q, %q: port %d, %v, want %d", tt.offset, tt.base, g.Port(1), err, tt.port)
		}
	}
	for _, id := range []int{0, MaxNodeID + 1} {
		if _, err := ListenVirtual(Group{Base: basePort}, id); err == nil {
			t.Errorf("node id %d: no error", id)
		}
	}
}
