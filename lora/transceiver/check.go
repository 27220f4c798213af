package transceiver

import (
	"errors"
	"strings"
)

// Check is what one step of a diagnosis found.
type Check struct {
	Name  string // "chip", "reset"…
	Found string // what was found, if all is well
	Err   error  // what is wrong, or nil
}

// Remedy returns what to do about the error, or "".
func (c Check) Remedy() string {
	if p := (*Problem)(nil); errors.As(c.Err, &p) {
		return p.Remedy
	}
	return ""
}

// String returns what was found or what is wrong, without the remedy.
func (c Check) String() string {
	if c.Err == nil {
		return c.Found
	}
	return strings.TrimSuffix(c.Err.Error(), " ("+c.Remedy()+")")
}
