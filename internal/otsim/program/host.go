//go:build unix

package program

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim/wire"
)

// patience is how long a program may take, in real time, before it is taken for dead.
const patience = 10 * time.Second

// A Host is where programs are started: a group of ports, and a directory, in which they keep their settings. It is used by one goroutine.
type Host struct {
	Group wire.Group

	dir      string
	conn     *net.UDPConn
	raw      syscall.RawConn
	programs map[int]*Program
}

// NewHost returns a host on a group of ports that is free.
func NewHost(dir string) (*Host, error) {
	for offset := 1; offset <= wire.MaxPortOffset; offset++ {
		group, err := wire.NewGroup(offset)
		if err != nil {
			return nil, err
		}
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: group.Port(0)})
		if err != nil {
			continue // taken by another one
		}
		raw, err := conn.SyscallConn()
		if err != nil {
			conn.Close()
			return nil, err
		}
		return &Host{Group: group, dir: dir, conn: conn, raw: raw, programs: map[int]*Program{}}, nil
	}
	return nil, errors.New("program: no free group of ports")
}

// Close ends all programs.
func (h *Host) Close() error {
	for _, p := range h.programs {
		p.Kill()
	}
	return h.conn.Close()
}

// receive waits for one event of any program, and reports whether one came.
func (h *Host) receive(deadline time.Time) (bool, error) {
	const interval = time.Millisecond // after which output is looked for again
	if soon := time.Now().Add(interval); soon.Before(deadline) {
		deadline = soon
	}
	var buf [wire.HeaderSize + wire.MaxData]byte
	if err := h.conn.SetReadDeadline(deadline); err != nil {
		return false, err
	}
	n, from, err := h.conn.ReadFromUDPAddrPort(buf[:])
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, h.handle(buf[:n], int(from.Port()))
}

// receivePending takes the events that have arrived, and reports whether there were any.
func (h *Host) receivePending() (received bool, err error) {
	if err := h.conn.SetReadDeadline(time.Time{}); err != nil {
		return false, err
	}
	for {
		var buf [wire.HeaderSize + wire.MaxData]byte
		n, port := -1, 0
		err := h.raw.Read(func(fd uintptr) bool {
			var from syscall.Sockaddr
			var err error
			n, from, err = syscall.Recvfrom(int(fd), buf[:], syscall.MSG_DONTWAIT)
			if addr, ok := from.(*syscall.SockaddrInet4); ok && err == nil {
				port = addr.Port
			}
			return true
		})
		if err != nil || n < 0 || port == 0 {
			return received, nil
		}
		received = true
		if err := h.handle(buf[:n], port); err != nil {
			return received, err
		}
	}
}

// handle gives a datagram to the program that it came from. One of a program that was ended is dropped.
func (h *Host) handle(b []byte, port int) error {
	p, ok := h.programs[port-h.Group.Port(0)]
	if !ok {
		return nil
	}
	e, err := wire.ParseEvent(b)
	if err != nil {
		return fmt.Errorf("node %d: %w: %x", p.ID, err, b)
	}
	p.handle(e)
	return nil
}
