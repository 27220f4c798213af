//go:build !linux

package sx126x

import (
	"errors"

	"github.com/gopymesh/pymesh/lora"
)

// Open drives the chip of a board. It works on Linux alone: here the error is
// [errors.ErrUnsupported].
func Open(board Board, cfg lora.Config, opts ...Option) (*Radio, error) {
	return nil, &lora.Error{Op: "open", Err: errors.ErrUnsupported}
}

// Diagnose looks for what is wrong with a board. It works on Linux alone.
func Diagnose(board Board, cfg lora.Config, opts ...Option) []Check {
	return []Check{{Name: "devices", Err: &lora.Error{Op: "open", Err: errors.ErrUnsupported}}}
}
