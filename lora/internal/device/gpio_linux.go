package device

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/lora/transceiver"
	"github.com/warthog618/go-gpiocdev"
	"golang.org/x/sys/unix"
)

// consumer is the name under which lines are requested.
const consumer = "pymesh"

// outputLine is an Output.
type outputLine struct{ *gpiocdev.Line }

func (l outputLine) Set(level transceiver.Level) error { return l.SetValue(value(level)) }

// resetLine is a Reset.
type resetLine struct{ *gpiocdev.Line }

func (l resetLine) Drive(level transceiver.Level) error {
	return l.Reconfigure(gpiocdev.AsOutput(value(level)))
}

func (l resetLine) Float() error { return l.Reconfigure(gpiocdev.AsInput) }

func value(l transceiver.Level) int {
	if l {
		return 1
	}
	return 0
}

// inputLine is an Input.
type inputLine struct {
	*gpiocdev.Line
	edges chan time.Time
}

func (l *inputLine) Level() (transceiver.Level, error) {
	v, err := l.Value()
	return v != 0, err
}

func (l *inputLine) Edges() <-chan time.Time { return l.edges }

// handle takes an edge from the kernel's queue. It must not block.
func (l *inputLine) handle(e gpiocdev.LineEvent) {
	select {
	case l.edges <- edgeTime(e.Timestamp):
	default:
	}
}

// edgeTime returns the time of an edge. The kernel counts from its start; kernels before 5.7 told the
// time of day instead, which is of no use here.
func edgeTime(stamp time.Duration) time.Time {
	now := time.Now()
	var mono unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono); err != nil {
		return now
	}
	if ago := time.Duration(mono.Nano()) - stamp; ago >= 0 && ago < time.Minute {
		return now.Add(-ago)
	}
	return now
}

// edgeQueue is how many edges may wait for the driver.
const edgeQueue = 16

func requestOutput(name string, level transceiver.Level) (outputLine, error) {
	l, err := requestLine(name, gpiocdev.AsOutput(value(level)))
	return outputLine{l}, err
}

// requestReset requests a reset line, floating without the host's own pull, which may be to the
// wrong side.
func requestReset(name string) (resetLine, error) {
	l, err := requestLine(name, gpiocdev.AsInput, gpiocdev.WithBiasDisabled)
	if errors.Is(err, unix.EINVAL) {
		l, err = requestLine(name, gpiocdev.AsInput)
	}
	return resetLine{l}, err
}

// requestInput requests an interrupt line, with a pull-down against edges from a wire that leads
// nowhere. Kernels before 5.5 have none.
func requestInput(name string) (*inputLine, error) {
	in := &inputLine{edges: make(chan time.Time, edgeQueue)}
	options := []gpiocdev.LineReqOption{gpiocdev.WithEventHandler(in.handle), gpiocdev.WithRisingEdge, gpiocdev.WithPullDown}
	var err error
	if in.Line, err = requestLine(name, options...); errors.Is(err, unix.EINVAL) {
		in.Line, err = requestLine(name, options[:2]...)
	}
	return in, err
}

// requestLevel requests a line without edges.
func requestLevel(name string) (*inputLine, error) {
	in := &inputLine{edges: make(chan time.Time)}
	var err error
	if in.Line, err = requestLine(name, gpiocdev.AsInput, gpiocdev.WithPullDown); errors.Is(err, unix.EINVAL) {
		in.Line, err = requestLine(name, gpiocdev.AsInput)
	}
	return in, err
}

func requestLine(name string, options ...gpiocdev.LineReqOption) (*gpiocdev.Line, error) {
	chip, offset, err := findLine(name)
	if err != nil {
		return nil, err
	}
	l, err := gpiocdev.RequestLine(chip, offset, append(options, gpiocdev.WithConsumer(consumer))...)
	if err != nil {
		return nil, lineProblem(name, chip, offset, err)
	}
	return l, nil
}

// headerChips are the labels of the chips whose lines lead to a Raspberry Pi's header: models 5, 4,
// and 0 to 3.
var headerChips = []string{"pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835"}

// findLine finds a line by its name. Where no line has the name, GPIO<n> is line n of a Raspberry
// Pi's header: older kernels name some lines by what else they can do, "SPI_CE1_N" or "GPIO_GCLK".
func findLine(name string) (chip string, offset int, err error) {
	number, numbered := bcmNumber(name)
	var denied, seen error
	header := ""
	for _, path := range gpiocdev.Chips() {
		c, err := gpiocdev.NewChip(path)
		if err != nil {
			if errors.Is(err, fs.ErrPermission) {
				denied = err
			}
			seen = err
			continue
		}
		offset, err := c.FindLine(name)
		if err == nil {
			c.Close()
			return path, offset, nil
		}
		for _, label := range headerChips {
			if c.Label == label && numbered && number < c.Lines() && header == "" {
				header = path
			}
		}
		c.Close()
	}
	switch {
	case header != "":
		return header, number, nil
	case denied != nil:
		return "", 0, problem(fmt.Errorf("line %s: %w", name, denied), remedyGPIOGroup)
	case seen != nil:
		return "", 0, fmt.Errorf("line %s: %w", name, seen)
	case len(gpiocdev.Chips()) == 0:
		return "", 0, problem(fmt.Errorf("line %s: there is no /dev/gpiochip*: %w", name, fs.ErrNotExist),
			"this host shows no GPIO lines; in a container, pass the devices on")
	}
	return "", 0, problem(fmt.Errorf("line %s: %w", name, fs.ErrNotExist), "gpioinfo (package gpiod) lists the names")
}

// bcmNumber returns n of "GPIO<n>".
func bcmNumber(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, "GPIO")
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= 0
}

const (
	remedyGPIOGroup = "sudo usermod -aG gpio $USER, then log in again; in a systemd unit, SupplementaryGroups=gpio"
	remedySPIGroup  = "sudo usermod -aG spi $USER, then log in again; in a systemd unit, SupplementaryGroups=spi"
)

// A busyLine is a line that somebody else has.
type busyLine struct {
	name, user string
}

func (e *busyLine) Error() string {
	return fmt.Sprintf("line %s is in use by %q", e.name, e.user)
}

func (e *busyLine) Unwrap() error { return unix.EBUSY }

// lineProblem says what to do about a line that cannot be had.
func lineProblem(name, chip string, offset int, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		busy := &busyLine{name: name, user: lineUser(chip, offset)}
		return problem(busy, busyRemedy(busy.user))
	case errors.Is(err, fs.ErrPermission):
		return problem(fmt.Errorf("line %s: %w", name, err), remedyGPIOGroup)
	}
	return fmt.Errorf("line %s: %w", name, err)
}

// busyRemedy tells how to free a line.
func busyRemedy(user string) string {
	switch {
	case strings.HasPrefix(user, "spi"): // such as "spi0 CS1"
		return "the kernel's SPI driver has it as a chip select: dtoverlay=spi0-0cs in /boot/firmware/config.txt frees GPIO7 and GPIO8, " +
			"dtoverlay=spi0-1cs frees GPIO7; reboot"
	case user == consumer:
		return "another program drives this radio: end it first"
	}
	return "end the program that has it, or remove the dtoverlay that gives it away from /boot/firmware/config.txt"
}

// lineUser returns who has a line.
func lineUser(chip string, offset int) string {
	c, err := gpiocdev.NewChip(chip)
	if err != nil {
		return "unknown"
	}
	defer c.Close()
	info, err := c.LineInfo(offset)
	if err != nil || info.Consumer == "" {
		return "unknown"
	}
	return info.Consumer
}

func problem(err error, remedy string) error { return &transceiver.Problem{Err: err, Remedy: remedy} }
