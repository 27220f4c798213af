//go:build linux

package gpiosim

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const tracefs = "/sys/kernel/tracing"

// Change is what is done to a line.
type Change uint8

const (
	SetLow  Change = iota // the value for an output; it need not be one yet
	SetHigh               // likewise
	ToInput
	ToOutput
)

// Trace sees what is done to the lines of a chip. There can be one on a machine.
type Trace struct {
	fd     int
	chip   *Chip
	handle func(offset int, c Change)

	mu    sync.Mutex
	buf   [4096]byte
	start []byte // of a line that was not read to its end
}

// NewTrace begins to call handle for each change, in order: when [Trace.Sync] is called, and soon
// after the change otherwise.
func NewTrace(chip *Chip, handle func(offset int, c Change)) (*Trace, error) {
	for _, s := range [...]struct{ file, value string }{
		{"events/gpio/gpio_value/filter", "get==0"},
		{"events/gpio/gpio_value/enable", "1"},
		{"events/gpio/gpio_direction/enable", "1"},
	} {
		if err := os.WriteFile(filepath.Join(tracefs, s.file), []byte(s.value), 0); err != nil {
			return nil, err
		}
	}
	fd, err := unix.Open(filepath.Join(tracefs, "trace_pipe"), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: "trace_pipe", Err: err}
	}
	t := &Trace{fd: fd, chip: chip, handle: handle}
	go t.watch()
	return t, nil
}

// watch syncs whenever there is something to read.
func (t *Trace) watch() {
	for {
		fds := []unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
			panic(fmt.Sprintf("gpiosim: poll: %v", err))
		}
		if err := t.Sync(); err != nil {
			panic(fmt.Sprintf("gpiosim: %v", err))
		}
	}
}

// Sync returns when all changes that were made before have been handled.
func (t *Trace) Sync() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		n, err := unix.Read(t.fd, t.buf[:])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN), err == nil && n == 0:
			return nil
		case err != nil:
			return fmt.Errorf("trace_pipe: %w", err)
		}
		t.parse(t.buf[:n])
	}
}

// parse handles the lines of a text, the last of which may go on in the next.
func (t *Trace) parse(text []byte) {
	text = append(t.start, text...)
	for {
		line, rest, ok := bytes.Cut(text, []byte("\n"))
		if !ok {
			t.start = text
			return
		}
		if number, change, ok := parseLine(string(line)); ok {
			if offset := number - t.chip.base; offset >= 0 && offset < t.chip.lines {
				t.handle(offset, change)
			}
		}
		text = rest
	}
}

// parseLine reads a line of the trace.
func parseLine(line string) (number int, c Change, ok bool) {
	if _, event, found := strings.Cut(line, " gpio_value: "); found {
		var value int
		if _, err := fmt.Sscanf(event, "%d set %d", &number, &value); err != nil {
			return 0, 0, false
		}
		if value != 0 {
			return number, SetHigh, true
		}
		return number, SetLow, true
	}
	if _, event, found := strings.Cut(line, " gpio_direction: "); found {
		var direction string
		if _, err := fmt.Sscanf(event, "%d %s (0)", &number, &direction); err != nil {
			return 0, 0, false
		}
		switch direction {
		case "in":
			return number, ToInput, true
		case "out":
			return number, ToOutput, true
		}
	}
	return 0, 0, false
}
