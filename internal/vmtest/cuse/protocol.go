//go:build linux

package cuse

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Numbers of the protocol.
const (
	major = 7
	minor = 31

	opForget      = 2
	opOpen        = 14
	opRelease     = 18
	opFsync       = 20
	opFlush       = 25
	opInterrupt   = 36
	opIoctl       = 39
	opBatchForget = 42
	opInit        = 4096

	headerSize       = 40
	answerHeaderSize = 16
	initInSize       = 16
	openOutSize      = 16
	ioctlInSize      = 32

	flagUnrestricted = 1 << 0 // of CUSE_INIT: ioctls may touch any memory of the caller
	flagRetry        = 1 << 2 // of FUSE_IOCTL
)

// Our choices.
const (
	maxData    = 128 << 10 // of a read or write; ioctls are limited to about as much
	bufferSize = maxData + 4096
)

var (
	errShort = errors.New("cuse: request is too short")
	errMore  = errors.New("cuse: more memory of the caller is needed")
)

var host = binary.NativeEndian

// request is a request of the kernel.
type request struct {
	opcode uint32
	unique uint64
	body   []byte
}

func parseRequest(b []byte) (request, error) {
	if len(b) < headerSize || int64(host.Uint32(b)) != int64(len(b)) {
		return request{}, errShort
	}
	return request{opcode: host.Uint32(b[4:]), unique: host.Uint64(b[8:]), body: b[headerSize:]}, nil
}

// appendAnswer appends an answer, with an error and no body if err is not nil.
func appendAnswer(b []byte, req request, err error, body ...[]byte) []byte {
	errno := unix.Errno(0)
	if err != nil {
		errno = unix.EIO
		errors.As(err, &errno)
		body = nil
	}
	size := answerHeaderSize
	for _, part := range body {
		size += len(part)
	}
	b = host.AppendUint32(b, uint32(size))
	b = host.AppendUint32(b, uint32(-int32(errno)))
	b = host.AppendUint64(b, req.unique)
	for _, part := range body {
		b = append(b, part...)
	}
	return b
}

// appendInit appends the answer to the first request.
func appendInit(b []byte, req request, name string) ([]byte, error) {
	if req.opcode != opInit || len(req.body) < initInSize {
		return b, fmt.Errorf("opcode %d with %d bytes where CUSE_INIT was due", req.opcode, len(req.body))
	}
	theirs, theirMinor := host.Uint32(req.body), host.Uint32(req.body[4:])
	if theirs != major {
		return b, fmt.Errorf("the kernel speaks protocol %d.%d, not %d", theirs, theirMinor, major)
	}
	const spare = 10
	var body []byte
	for _, v := range [8 + spare]uint32{major, min(minor, theirMinor), 0, flagUnrestricted, maxData, maxData, 0, 0} {
		body = host.AppendUint32(body, v)
	}
	return appendAnswer(b, req, nil, body, []byte("DEVNAME="+name+"\x00")), nil
}
