//go:build linux

package vmtest

import (
	"errors"
	"fmt"
	"net/rpc"
	"os"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/internal/vmtest/hardware"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// bench is a machine whose hats a test plugs.
type bench struct {
	t   testing.TB
	rpc *rpc.Client
}

// newBench returns a machine without hats. In the end the driver must not have broken any rule of
// the chip.
func newBench(t testing.TB) *bench {
	t.Helper()
	if _, err := os.Stat(hardware.Socket); err != nil {
		t.Skip("runs in a virtual machine: see run.sh")
	}
	c, err := rpc.Dial("unix", hardware.Socket)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t, c}
	b.call("Clear", struct{}{}, &struct{}{})
	t.Cleanup(func() {
		for _, v := range b.violations() {
			t.Error("violation:", v)
		}
		c.Close()
	})
	return b
}

// call calls a method of the hardware.
func (b *bench) call(method string, args, reply any) {
	b.t.Helper()
	if err := b.rpc.Call("Machine."+method, args, reply); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
}

// plug plugs a hat and returns its number.
func (b *bench) plug(board sx1276.Board) (id int) {
	b.t.Helper()
	b.call("Plug", hardware.Plug{Board: board}, &id)
	return id
}

func (b *bench) fail(hat int, kind hardware.FaultKind, n int) {
	b.t.Helper()
	b.call("Fail", hardware.Fault{Hat: hat, Kind: kind, N: n}, &struct{}{})
}

func (b *bench) setBus(bus hardware.Bus) {
	b.t.Helper()
	b.call("SetBus", bus, &struct{}{})
}

// stats returns what a chip did.
func (b *bench) stats(hat int) (s sx1276emu.Stats) {
	b.t.Helper()
	b.call("Stats", hat, &s)
	return s
}

// violations takes the list of rules that were broken.
func (b *bench) violations() (list []string) {
	b.t.Helper()
	b.call("Violations", struct{}{}, &list)
	return list
}

// open opens a hat until the test ends.
func open(t testing.TB, board sx1276.Board, opts ...sx1276.Option) *sx1276.Radio {
	t.Helper()
	r, err := sx1276.Open(board, lora.Config{}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// eventually waits until something is so.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// remedy returns what an error says to do.
func remedy(err error) string {
	if p := (*sx1276.Problem)(nil); errors.As(err, &p) {
		return p.Remedy
	}
	return ""
}

func packet(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + n)
	}
	return p
}

// secondHat returns a hat on a bus of its own, for tests with two.
func secondHat() sx1276.Board {
	b := sx1276.RFM95
	b.Name, b.Bus, b.Reset, b.DIO0 = "second hat", 1, "GPIO5", "GPIO6"
	return b
}

func sizes() []int { return []int{1, 5, 64, 127, lora.MaxPacket} }

func sizeName(n int) string { return fmt.Sprintf("%d bytes", n) }
