package cli

import (
	"errors"
	"fmt"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/coap"
)

// Error is one of OpenThread's error numbers, as the command line prints it.
type Error uint8

// The error numbers that the command line uses.
const (
	Failed               Error = 1
	NoBufs               Error = 3
	Busy                 Error = 5
	Parse                Error = 6
	InvalidArgs          Error = 7
	Security             Error = 8
	Abort                Error = 11
	NotImplemented       Error = 12
	InvalidState         Error = 13
	Detached             Error = 16
	InvalidSourceAddress Error = 20
	NotFound             Error = 23
	Already              Error = 24
	NotCapable           Error = 27
	ResponseTimeout      Error = 28
)

// Name returns the error's name, without spaces.
func (e Error) Name() string {
	switch e {
	case Failed:
		return "Failed"
	case NoBufs:
		return "NoBufs"
	case Busy:
		return "Busy"
	case Parse:
		return "Parse"
	case InvalidArgs:
		return "InvalidArgs"
	case Security:
		return "Security"
	case Abort:
		return "Abort"
	case NotImplemented:
		return "NotImplemented"
	case InvalidState:
		return "InvalidState"
	case Detached:
		return "Detached"
	case InvalidSourceAddress:
		return "InvalidSourceAddress"
	case NotFound:
		return "NotFound"
	case Already:
		return "Already"
	case NotCapable:
		return "NotCapable"
	case ResponseTimeout:
		return "ResponseTimeout"
	}
	return "UnknownErrorType"
}

// Error returns the error as it is printed, such as "Error 7: InvalidArgs".
func (e Error) Error() string { return fmt.Sprintf("Error %d: %s", uint8(e), e.Name()) }

// errNoAnswer is the result of a command that is not followed by Done.
var errNoAnswer = errors.New("cli: no answer")

// errorOf returns the number of an error.
func errorOf(err error) Error {
	var e Error
	if errors.As(err, &e) {
		return e
	}
	for _, m := range [...]struct {
		err error
		e   Error
	}{
		{thread.ErrState, InvalidState},
		{thread.ErrArgument, InvalidArgs},
		{thread.ErrBusy, Busy},
		{thread.ErrNotCapable, NotCapable},
		{thread.ErrUnsupported, NotImplemented},
		{thread.ErrNotFound, NotFound},
		{thread.ErrExists, Already},
		{thread.ErrTableFull, NoBufs},
		{thread.ErrNoNetwork, NotFound},
		{thread.ErrPassword, Security},
		{thread.ErrNotWanted, Security},
		{thread.ErrNoAnswer, ResponseTimeout},
		{thread.ErrJoinStopped, Abort},
		{thread.ErrQueueFull, NoBufs},
		{thread.ErrTooLong, InvalidArgs},
		{thread.ErrDisabled, InvalidSourceAddress},
		{thread.ErrPacket, InvalidArgs},
		{thread.ErrKeySequence, InvalidArgs},
		{coap.ErrBusy, NoBufs},
		{coap.ErrTimeout, ResponseTimeout},
		{coap.ErrReset, Abort},
	} {
		if errors.Is(err, m.err) {
			return m.e
		}
	}
	return Failed
}
