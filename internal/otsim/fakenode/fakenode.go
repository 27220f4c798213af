// Package fakenode is a simulated node for tests of what runs simulated nodes: a program that speaks the wire of OpenThread's simulation, and
// does what its command line says alone. A test program becomes one:
//
//	func TestMain(m *testing.M) {
//		fakenode.Main()
//		os.Exit(m.Run())
//	}
package fakenode

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/gopymesh/pymesh/internal/otsim/wire"
)

// Variable is that of the environment which, set to anything, turns the test program into a simulated node.
const Variable = "OTSIM_FAKE_NODE"

// channel is the one on which it sends.
const channel = 11

// Main does not return if Variable is set: the program is a node then. It prints what happens to it, with the microseconds on its clock,
// and knows these commands:
//
//	state          answers "idle" and Done
//	timer MS       sets its timer
//	send HEX       transmits, and prints nothing before the transmission is done
//	anything else  answers an error
func Main() {
	if os.Getenv(Variable) == "" {
		return
	}
	fmt.Fprintln(os.Stderr, run(os.Args[1]))
	os.Exit(1)
}

type fake struct {
	conn       *net.UDPConn
	controller *net.UDPAddr
	clock      uint64 // µs
	timer      uint64 // µs, 0 if off
	sent       []byte
}

// run returns what ends the node. The end of its input ends the program.
func run(arg string) error {
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
		f.sent = append([]byte{channel}, b...)
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
