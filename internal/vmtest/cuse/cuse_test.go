//go:build linux

package cuse

import (
	"bytes"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// kernelRequest makes a request as the kernel does.
func kernelRequest(opcode uint32, unique uint64, body []byte) []byte {
	b := host.AppendUint32(nil, uint32(headerSize+len(body)))
	b = host.AppendUint32(b, opcode)
	b = host.AppendUint64(b, unique)
	b = append(b, make([]byte, headerSize-len(b))...)
	return append(b, body...)
}

// ioctlRequest makes the request for an ioctl, with the memory read so far.
func ioctlRequest(cmd uint32, arg uint64, in []byte, outSize int) []byte {
	body := make([]byte, 12) // file handle, flags
	body = host.AppendUint32(body, cmd)
	body = host.AppendUint64(body, arg)
	body = host.AppendUint32(body, uint32(len(in)))
	body = host.AppendUint32(body, uint32(outSize))
	return kernelRequest(opIoctl, 7, append(body, in...))
}

// answer gives a request to a handler, and returns error number and body of the answer.
func answer(t *testing.T, h Handler, b []byte) (errno int32, body []byte) {
	t.Helper()
	req, err := parseRequest(b)
	if err != nil {
		t.Fatal(err)
	}
	out := (&Device{handler: h}).answer(nil, req)
	if len(out) < answerHeaderSize || int(host.Uint32(out)) != len(out) || host.Uint64(out[8:]) != req.unique {
		t.Fatalf("answer %x", out)
	}
	return int32(host.Uint32(out[4:])), out[answerHeaderSize:]
}

type handlerFunc func(*Ioctl) error

func (f handlerFunc) Ioctl(q *Ioctl) error { return f(q) }

// words returns numbers as bytes, 8 each.
func words(v ...uint64) (b []byte) {
	for _, w := range v {
		b = host.AppendUint64(b, w)
	}
	return b
}

// TestIoctl follows a pointer: the argument holds an address, at which there is text to be changed.
func TestIoctl(t *testing.T) {
	const arg, text = 0x1000, 0x2000
	h := handlerFunc(func(q *Ioctl) error {
		pointer := q.Read(q.Arg, 8)
		if err := q.Ready(); err != nil {
			return err
		}
		addr := host.Uint64(pointer)
		in, out := q.Read(addr, 5), q.Buffer(addr, 5)
		if err := q.Ready(); err != nil {
			return err
		}
		copy(out, bytes.ToUpper(in))
		return nil
	})
	retry := func(in, out uint32) []byte {
		b := host.AppendUint32(nil, 0)
		b = host.AppendUint32(b, flagRetry)
		return host.AppendUint32(host.AppendUint32(b, in), out)
	}
	tests := []struct {
		name    string
		in      []byte
		outSize int
		want    []byte
	}{
		{"no memory yet", nil, 0, append(retry(1, 0), words(arg, 8)...)},
		{"argument", words(text), 0, append(retry(2, 1), words(arg, 8, text, 5, text, 5)...)},
		{"all", append(words(text), "hello"...), 5, append(make([]byte, 16), "HELLO"...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			errno, body := answer(t, h, ioctlRequest(1, arg, tt.in, tt.outSize))
			if errno != 0 || !bytes.Equal(body, tt.want) {
				t.Errorf("error %d, body %x, want %x", errno, body, tt.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	h := handlerFunc(func(q *Ioctl) error {
		if q.Cmd == 1 {
			return unix.EINVAL
		}
		return errors.New("broken")
	})
	tests := []struct {
		name    string
		request []byte
		want    unix.Errno
	}{
		{"error number", ioctlRequest(1, 0, nil, 0), unix.EINVAL},
		{"other error", ioctlRequest(2, 0, nil, 0), unix.EIO},
		{"poll", kernelRequest(40, 7, nil), unix.ENOSYS},
		{"short ioctl", kernelRequest(opIoctl, 7, make([]byte, ioctlInSize-1)), unix.EIO},
		{"open", kernelRequest(opOpen, 7, make([]byte, 8)), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if errno, _ := answer(t, h, tt.request); errno != -int32(tt.want) {
				t.Errorf("error %d, want %d", errno, -int32(tt.want))
			}
		})
	}
}

func TestInit(t *testing.T) {
	init := func(major uint32, n int) request {
		body := append(host.AppendUint32(host.AppendUint32(nil, major), 38), make([]byte, 8)...)
		return request{opcode: opInit, unique: 2, body: body[:n]}
	}
	b, err := appendInit(nil, init(7, initInSize), "spidev0.0")
	if err != nil || !bytes.HasSuffix(b, []byte("DEVNAME=spidev0.0\x00")) || len(b) != answerHeaderSize+72+18 {
		t.Errorf("%x, %v", b, err)
	}
	if got := host.Uint32(b[answerHeaderSize+4:]); got != minor {
		t.Errorf("minor version %d", got)
	}
	for _, req := range []request{init(8, initInSize), init(7, initInSize-1), {opcode: opOpen, body: make([]byte, 16)}} {
		if _, err := appendInit(nil, req, "x"); err == nil {
			t.Errorf("no error for %+v", req)
		}
	}
}

func TestShortRequests(t *testing.T) {
	whole := kernelRequest(opOpen, 1, make([]byte, 8))
	for n := range whole {
		if _, err := parseRequest(whole[:n]); err == nil {
			t.Errorf("no error for %d bytes", n)
		}
	}
}
