package pymesh_test

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// Tests that need a process of their own: this test binary, started with other flags.

const inChild = "PYMESH_TEST_CHILD"

// child runs one test of this binary in a process of its own and returns what it prints.
func child(t *testing.T, name string, flags ...string) (output string, err error) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(program, append([]string{"-test.run=^" + name + "$", "-test.v", "-test.timeout=5m"}, flags...)...)
	cmd.Env = append(os.Environ(), inChild+"="+name)
	b, err := cmd.CombinedOutput()
	return string(b), err
}

// TestConn holds a connected pair of sockets, of two nodes on one air, against package net's own expectations, nettest.TestConn. Two of its eleven
// tests ask for a stream, and a *net.UDPConn of the system fails them too: BasicIO wants a megabyte without loss and io.EOF at its
// end, PingPong io.EOF. nettest cannot leave them out, but the flag -test.skip of another process can.
func TestConn(t *testing.T) {
	output, err := child(t, "TestConnInChild", "-test.skip=^TestConnInChild$/^(BasicIO|PingPong)$")
	passed := strings.Count(output, "    --- PASS: TestConnInChild/")
	if err != nil || passed != 9 {
		t.Errorf("%v; %d passed, want 9:\n%s", err, passed, output)
	}
}

func TestConnInChild(t *testing.T) {
	if os.Getenv(inChild) != t.Name() {
		t.Skip("runs in a process of its own, see TestConn")
	}
	// In a bubble nothing waits for a real second: not even nettest, whose subtests are this test's and run inside of it.
	outer := t
	synctest.Test(t, func(t *testing.T) {
		m := &mesh{T: t, air: lorasim.NewAir(lorasim.Options{Seed: 1, Speed: 1000})}
		a, b := m.attached(), m.attached()
		if err := a.WaitReachable(t.Context(), b.MeshLocalEID()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // of the wall clock: b is a router
		port := uint16(10_000)
		nettest.TestConn(outer, func() (c1, c2 net.Conn, stop func(), err error) {
			c1, c2, stop, err = pipe(a, b, port)
			port++
			return c1, c2, stop, err
		})
	})
}

// pipe connects two nodes.
func pipe(a, b *pymesh.Node, port uint16) (c1, c2 net.Conn, stop func(), err error) {
	if c1, err = a.DialUDP(at(a, port), at(b, port)); err != nil {
		return nil, nil, nil, err
	}
	if c2, err = b.DialUDP(at(b, port), at(a, port)); err != nil {
		return nil, nil, nil, err
	}
	return c1, c2, func() { c1.Close(); c2.Close() }, nil
}

// TestHandlerPanics: a panic in a handler of OnReceive is the program's, it is not swallowed.
func TestHandlerPanics(t *testing.T) {
	if os.Getenv(inChild) == t.Name() {
		inMesh(t, func(t *testing.T, m *mesh) {
			n := m.attached()
			c := m.listen(n, "[::]:1234")
			n.OnReceive(func(*pymesh.UDPConn) { panic("in the handler") })
			m.send(c, "x", at(n, 1234))
			m.expectNothing(m.listen(n, "[::]:0"))
		})
		return
	}
	output, err := child(t, t.Name())
	if err == nil || !strings.Contains(output, "panic: in the handler") {
		t.Errorf("%v:\n%s", err, output)
	}
}
