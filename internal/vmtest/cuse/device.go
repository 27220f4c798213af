//go:build linux

package cuse

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A Handler is what a device does. One request is served after the other.
type Handler interface {
	// Ioctl serves an ioctl. An error that is a unix.Errno goes to the caller, any other as EIO.
	Ioctl(*Ioctl) error
}

// Device is a device in /dev.
type Device struct {
	file    *os.File
	handler Handler
}

// New makes the device /dev/name, and returns when it is there. [Device.Serve] brings it to life.
//
// A program must not open a device that it serves itself: the runtime watches what it opens with
// epoll, and asks the device in a way that holds up the goroutine that is to answer.
func New(name string, h Handler) (*Device, error) {
	file, err := os.OpenFile("/dev/cuse", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	d := &Device{file: file, handler: h}
	if err := d.start(name); err != nil {
		file.Close()
		return nil, fmt.Errorf("cuse: %s: %w", name, err)
	}
	return d, nil
}

// start does the first exchange.
func (d *Device) start(name string) error {
	buf := make([]byte, bufferSize)
	req, err := d.read(buf)
	if err != nil {
		return err
	}
	answer, err := appendInit(nil, req, name)
	if err != nil {
		return err
	}
	_, err = d.file.Write(answer)
	return err
}

// Serve serves requests until there is an error.
func (d *Device) Serve() error {
	buf := make([]byte, bufferSize)
	var out []byte
	for {
		req, err := d.read(buf)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) { // the caller gave up meanwhile
			continue
		}
		if err != nil {
			return err
		}
		if out = d.answer(out[:0], req); len(out) == 0 {
			continue
		}
		if _, err := d.file.Write(out); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
}

func (d *Device) read(buf []byte) (request, error) {
	n, err := d.file.Read(buf)
	if err != nil {
		return request{}, err
	}
	return parseRequest(buf[:n])
}

// answer appends the answer to a request, or nothing if it has none.
func (d *Device) answer(b []byte, req request) []byte {
	switch req.opcode {
	case opOpen:
		return appendAnswer(b, req, nil, make([]byte, openOutSize))
	case opFlush, opRelease, opFsync:
		return appendAnswer(b, req, nil)
	case opIoctl:
		return d.ioctl(b, req)
	case opInterrupt, opForget, opBatchForget:
		// An ioctl is over soon, there is no need to end it earlier.
		return nil
	}
	// Among these is poll: the kernel stops asking, and treats the device as always ready.
	return appendAnswer(b, req, unix.ENOSYS)
}

func (d *Device) ioctl(b []byte, req request) []byte {
	q, err := parseIoctl(req.body)
	if err != nil {
		return appendAnswer(b, req, unix.EIO)
	}
	err = d.handler.Ioctl(q)
	switch errno := unix.Errno(0); {
	case errors.Is(err, errMore):
		return q.appendRetry(b, req)
	case errors.As(err, &errno):
		return appendAnswer(b, req, errno)
	case err != nil:
		return appendAnswer(b, req, unix.EIO)
	}
	return q.appendResult(b, req)
}
