package pymesh

import (
	"errors"
	"syscall"

	"github.com/gopymesh/pymesh/thread"
)

// A meshError is an error of the mesh that is one of the system's as well: whoever knows sockets knows it.
type meshError struct {
	errno syscall.Errno
	err   error
}

func (e *meshError) Error() string   { return e.err.Error() }
func (e *meshError) Unwrap() []error { return []error{e.errno, e.err} }

// asErrno makes an error of the engine one of the system's, too. Others stay what they are.
func asErrno(err error) error {
	for _, row := range []struct {
		err   error
		errno syscall.Errno
	}{
		{thread.ErrDisabled, syscall.ENETDOWN},
		{thread.ErrDetached, syscall.ENETUNREACH},
		{thread.ErrNoRoute, syscall.EHOSTUNREACH},
		{thread.ErrTooLong, syscall.EMSGSIZE},
		{thread.ErrQueueFull, syscall.ENOBUFS},
		{thread.ErrCounters, syscall.ENOSPC},
		{thread.ErrBusy, syscall.EBUSY},
		{thread.ErrPacket, syscall.EINVAL},
	} {
		if errors.Is(err, row.err) {
			return &meshError{row.errno, err}
		}
	}
	return err
}
