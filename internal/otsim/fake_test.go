//go:build unix

package otsim

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/gopymesh/pymesh/internal/otsim/wire"
)

// fakeVariable turns the test program into a simulated node.
const fakeVariable = "OTSIM_FAKE_NODE"

func TestMain(m *testing.M) {
	if os.Getenv(fakeVariable) != "" {
		if err := runFake(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// addFake starts this test program as a simulated node. It prints what happens to it,
// with the microseconds on its clock, and knows these commands:
//
//	state          answers "idle" and Done
//	timer MS       sets its timer
//	send HEX       transmits, and prints nothing before the transmission is done
//	anything else  answers an error
func addFake(t *testing.T, c *Controller, id int) *Process {
	t.Setenv(fakeVariable, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return c.AddProcess(self, id)
}

type fake struct {
	conn       *net.UDPConn
	controller *net.UDPAddr
	clock      uint64 // µs
	timer      uint64 // µs, 0 if off
	sent       []byte
}

func runFake(arg string) error {
	id, err := strconv.Atoi(arg)
	if err != nil {
		return err
	}
	group, err := wire.EnvironmentGroup()
	if err != nil {
		return err
	}
	local := net.IPv4(127, 0, 0, 1)
	f := &fake{controller: &net.UDPAddr{IP: local, Port: group.Port(0)}}
	if f.conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: local, Port: group.Port(id)}); err != nil {
		return err
	}
	commands := make(chan string)
	go func() {
		for s := bufio.NewScanner(os.Stdin); s.Scan(); {
			commands <- s.Text()
		}
		os.Exit(0)
	}()
	events := make(chan wire.Event)
	go func() {
		for {
			b := make([]byte, wire.HeaderSize+wire.MaxData)
			n, err := f.conn.Read(b)
			if err != nil {
				os.Exit(0)
			}
			e, err := wire.ParseEvent(b[:n])
			if err != nil {
				os.Exit(1)
			}
			events <- e
		}
	}()
	for {
		if err := f.sleep(); err != nil {
			return err
		}
		select {
		case line := <-commands:
			fmt.Printf("> %s\r\n", line)
			err = f.command(line)
		case e := <-events:
			f.event(e)
		}
		if err != nil {
			return err
		}
	}
}

func (f *fake) sleep() error {
	e := wire.Event{Delay: 1<<63 - 1, Type: wire.EventAlarm}
	if f.timer != 0 {
		e.Delay = f.timer - f.clock
	}
	return f.write(e)
}

func (f *fake) write(e wire.Event) error {
	b, err := e.AppendBinary(nil)
	if err != nil {
		return err
	}
	_, err = f.conn.WriteToUDP(b, f.controller)
	return err
}

func (f *fake) command(line string) error {
	name, arg, _ := strings.Cut(line, " ")
	switch name {
	case "state":
		fmt.Print("idle\r\nDone\r\n")
	case "timer":
		ms, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		f.timer = f.clock + uint64(ms)*1000
		fmt.Print("Done\r\n")
	case "send":
		b, err := hex.DecodeString(arg)
		if err != nil {
			return err
		}
		f.sent = append([]byte{Channel}, b...)
		return f.write(wire.Event{Delay: 1, Type: wire.EventRadio, Data: f.sent})
	default:
		fmt.Print("Error 35: InvalidCommand\r\n")
	}
	return nil
}

func (f *fake) event(e wire.Event) {
	f.clock += e.Delay
	switch {
	case e.Type == wire.EventRadio && string(e.Data) == string(f.sent):
		f.sent = nil
		fmt.Printf("sent %d\r\n", f.clock)
	case e.Type == wire.EventRadio:
		fmt.Printf("heard %x %d\r\n", e.Data, f.clock)
	}
	if f.timer != 0 && f.clock >= f.timer {
		f.timer = 0
		fmt.Printf("timer %d\r\n", f.clock)
	}
}
