//go:build !unix

package program

import (
	"errors"
	"time"
)

var errSystem = errors.New("program: simulated nodes run on Unix alone")

// A Host is where programs are started; not on this system.
type Host struct{}

// A Program is a simulated node.
type Program struct{ ID int }

// A CommandError is the program's own word that a command did not succeed.
type CommandError struct{ Command, Answer string }

func (e *CommandError) Error() string { return e.Command + ": " + e.Answer }

// NewHost returns an error.
func NewHost(string) (*Host, error) { return nil, errSystem }

// Close does nothing.
func (*Host) Close() error { return nil }

// Start returns an error.
func (*Host) Start(string, int, time.Time, func([]byte), func()) (*Program, error) {
	return nil, errSystem
}

// Kill does nothing.
func (*Program) Kill() {}

// Clock returns the zero time.
func (*Program) Clock() time.Time { return time.Time{} }

// Timeout returns false.
func (*Program) Timeout() (time.Time, bool) { return time.Time{}, false }

// Wake returns an error.
func (*Program) Wake(time.Time) error { return errSystem }

// Hear returns an error.
func (*Program) Hear(time.Time, []byte) error { return errSystem }

// Command returns an error.
func (*Program) Command(string) ([]string, error) { return nil, errSystem }

// Send returns an error.
func (*Program) Send(string) error { return errSystem }

// Lines returns nothing.
func (*Program) Lines() []string { return nil }
