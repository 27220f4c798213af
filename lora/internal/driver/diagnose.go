package driver

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/transceiver"
)

// Step is a step of a diagnosis.
type Step struct {
	Name string
	Do   func() (found string, err error)
	// GoesOn says that a [transceiver.Problem] in this step does not keep the next from working.
	GoesOn bool
}

// Diagnose does steps, as far as it gets.
func Diagnose(steps ...Step) (checks []transceiver.Check) {
	for _, step := range steps {
		found, err := step.Do()
		if err == nil {
			checks = append(checks, transceiver.Check{Name: step.Name, Found: found})
			continue
		}
		checks = append(checks, transceiver.Check{Name: step.Name, Err: err})
		if p := (*transceiver.Problem)(nil); !errors.As(err, &p) || !step.GoesOn {
			break
		}
	}
	return checks
}

// Pause waits, by a clock.
func Pause(clock lora.Clock, d time.Duration) { time.Sleep(clock.Until(clock.Now().Add(d))) }

// Noise measures what a receiver hears that runs: samples of its strength in dBm, of which lowest is none.
func Noise(clock lora.Clock, listen transceiver.Listen, lowest int, strength func() (int, error)) (string, error) {
	const samples = 100
	Pause(clock, 10*rssiSettle)
	strengths := make([]int, 0, samples)
	for range samples {
		s, err := strength()
		if err != nil {
			return "", err
		}
		strengths = append(strengths, s)
		Pause(clock, time.Millisecond)
	}
	slices.Sort(strengths)
	middle, most := strengths[samples/2], strengths[samples-1]
	switch {
	case most == lowest:
		return "", errors.New("it shows no strength at all: it does not run")
	case middle >= listen.Threshold:
		return "", &transceiver.Problem{
			Err:    fmt.Errorf("noise of %d dBm: every packet would wait for a free channel, from %d dBm on", middle, listen.Threshold),
			Remedy: "move the antenna away from the computer, its screen and its USB 3 devices, or change the frequency",
		}
	}
	return fmt.Sprintf("noise %d dBm (%d to %d)", middle, strengths[0], most), nil
}

// TryLine makes the chip tell something that sends nothing, and looks whether the interrupt line and its edges follow. Of the chip
// come begin, which starts that, done, which waits for its end, and clear.
func TryLine(clock lora.Clock, line transceiver.Input, name string, begin, done, clear func() error) (string, error) {
	remedy := name + " leads to another line, or nowhere: check the board's " + name + ", or leave it empty"
	level := func() transceiver.Level {
		l, err := line.Level()
		return l && transceiver.Level(err == nil)
	}
	if level() == transceiver.High {
		return "", &transceiver.Problem{Err: errors.New("high although the chip has nothing to tell"), Remedy: remedy}
	}
	lastEdge(line)
	if err := begin(); err != nil {
		return "", err
	}
	start := clock.Now()
	if err := done(); err != nil {
		return "", err
	}
	told := level()
	edge, edges := lastEdge(line)
	if err := clear(); err != nil {
		return "", err
	}
	switch {
	case told == transceiver.Low:
		return "", &transceiver.Problem{Err: errors.New("low although the chip has something to tell"), Remedy: remedy}
	case level() == transceiver.High:
		return "", &transceiver.Problem{Err: errors.New("stays high"), Remedy: remedy}
	case !edges:
		return "", &transceiver.Problem{Err: errors.New("goes high, but no edge is reported"),
			Remedy: "the driver works all the same, by asking the line; update the kernel"}
	}
	return fmt.Sprintf("works; edge %v after the start of channel activity detection", edge.Sub(start).Round(time.Millisecond/10)), nil
}

// lastEdge takes all edges that wait and returns the last.
func lastEdge(line transceiver.Input) (at time.Time, ok bool) {
	for {
		select {
		case at = <-line.Edges():
			ok = true
		default:
			return at, ok
		}
	}
}
