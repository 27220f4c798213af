package wire

import (
	"errors"
	"net"
	"syscall"
	"unsafe"
)

// datagramConn is a UDP socket with one peer, which speaks seldom and waits for an answer.
//
// The Go runtime has a thread that watches over system calls, as any may block, and wakes it for the first one after a pause.
// Where each datagram comes after a pause, that costs a multiple of what receiving and sending do. A socket of package net
// does not block, so Read and Write make their calls without the runtime's knowledge.
type datagramConn struct {
	*net.UDPConn
	raw syscall.RawConn
}

func dial(local, remote *net.UDPAddr) (*datagramConn, error) {
	conn, err := net.DialUDP("udp4", local, remote)
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &datagramConn{conn, raw}, nil
}

// Read reads a datagram into b, or as much of it as fits.
func (c *datagramConn) Read(b []byte) (int, error) { return transfer(syscall.SYS_READ, c.raw.Read, b) }

// Write sends b as a datagram.
func (c *datagramConn) Write(b []byte) (int, error) {
	return transfer(syscall.SYS_WRITE, c.raw.Write, b)
}

// transfer makes a system call on b as soon as the socket is ready for it.
func transfer(call uintptr, whenReady func(func(fd uintptr) bool) error, b []byte) (int, error) {
	var n uintptr
	var errno syscall.Errno
	err := whenReady(func(fd uintptr) bool {
		n, _, errno = syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		return errno != syscall.EAGAIN
	})
	if err != nil {
		return 0, err
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
