package sx1276

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"periph.io/x/conn/v3/spi"
)

// Check is what one step of [Diagnose] found.
type Check struct {
	Name  string // "chip", "DIO0"…
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

// DiagnoseChip does what [Diagnose] does with a chip at a port and pins of one's own. The chip is
// asleep in the end.
func DiagnoseChip(port spi.Port, pins Pins, cfg lora.Config, opts ...Option) []Check {
	d := diagnosis{}
	r, err := newRadio(pins, cfg, opts)
	if err != nil {
		return d.fail("settings", err)
	}
	d.r = r
	for _, step := range []struct {
		name string
		do   func() (found string, err error)
	}{
		{"SPI", func() (string, error) { return d.connect(port) }},
		{"chip", d.identify},
		{"reset", d.reset},
		{"oscillator", d.oscillator},
		{"registers", d.registers},
		{"DIO0", d.dio0},
		{"receiver", d.receiver},
	} {
		found, err := step.do()
		if err != nil {
			d.fail(step.name, err)
			if p := (*Problem)(nil); !errors.As(err, &p) || !d.goesOn {
				break
			}
			continue
		}
		d.checks = append(d.checks, Check{Name: step.name, Found: found})
	}
	if r.chip.conn != nil {
		_ = r.chip.setMode(r.mode(modeSleep)) // what is wrong has been said
	}
	return d.checks
}

// diagnosis is the work of Diagnose.
type diagnosis struct {
	r      *Radio
	checks []Check
	goesOn bool // the error of this step does not keep the next from working
}

func (d *diagnosis) fail(name string, err error) []Check {
	d.checks = append(d.checks, Check{Name: name, Err: err})
	return d.checks
}

func (d *diagnosis) connect(port spi.Port) (string, error) {
	if err := d.r.connect(port); err != nil {
		return "", err
	}
	if _, err := d.r.chip.read(regVersion); err != nil {
		return "", err
	}
	return fmt.Sprintf("%v at %v", port, d.r.opt.spiClock), nil
}

func (d *diagnosis) identify() (string, error) {
	if err := d.r.findModel(); err != nil {
		return "", err
	}
	m := d.r.model
	return fmt.Sprintf("%s, version 0x%02X", m.name, m.version), d.r.makeSettings()
}

// reset sees whether a register forgets.
func (d *diagnosis) reset() (string, error) {
	r, c := d.r, &d.r.chip
	if r.pins.Reset == nil {
		return "not wired; the chip is brought back by writing all registers", nil
	}
	mark := byte(0x55)
	old, err := c.read(regOpMode)
	if err == nil {
		err = c.setMode(old&^modeMask | modeSleep)
	}
	if err == nil {
		err = c.write(regFrfMid, mark)
	}
	if err == nil {
		err = r.reset()
	}
	if err != nil {
		return "", err
	}
	got, err := c.read(regFrfMid)
	if err != nil {
		return "", err
	}
	if d.goesOn = true; got == mark {
		return "", &Problem{errors.New("the chip does not reset"), "the reset line is another one, or not connected: check the board's Reset, or leave it empty"}
	}
	return "works", nil
}

func (d *diagnosis) oscillator() (string, error) {
	d.goesOn = false
	if err := d.r.wake(); err != nil {
		return "", err
	}
	start := d.r.clock.Now()
	if err := d.r.calibrate(); err != nil {
		return "", err
	}
	if !d.r.model.lowBands {
		return "not checked", nil
	}
	return fmt.Sprintf("runs; image calibration at %v took %v", d.r.cfg.Frequency, d.r.clock.Now().Sub(start).Round(time.Millisecond)), nil
}

func (d *diagnosis) registers() (string, error) {
	if err := d.r.configure(); err != nil {
		return "", err
	}
	if err := d.r.testFIFO(); err != nil {
		return "", err
	}
	return "written and read back, the FIFO too", nil
}

// dio0 lets the chip look for activity on the channel, which ends with an interrupt and sends nothing.
func (d *diagnosis) dio0() (string, error) {
	r, c := d.r, &d.r.chip
	if r.pins.DIO0 == nil {
		return fmt.Sprintf("not wired; the chip is asked every %v", r.pollEvery.Round(time.Millisecond/10)), nil
	}
	d.goesOn = true
	const remedy = "DIO0 leads to another line, or nowhere: check the board's DIO0, or leave it empty"
	if r.dio0() == High {
		return "", &Problem{errors.New("high although the chip has nothing to tell"), remedy}
	}
	r.takeEdges()
	if err := d.interruptBy(irqCadDone, dio0CadDone); err != nil {
		return "", err
	}
	if err := c.setMode(r.mode(modeCad)); err != nil {
		return "", err
	}
	start := r.clock.Now()
	limit := start.Add(10*r.cfg.SymbolTime() + 100*time.Millisecond)
	for {
		r.sleep(time.Millisecond)
		flags, err := c.read(regIrqFlags)
		if err != nil {
			return "", err
		}
		if flags&irqCadDone != 0 {
			break
		}
		if r.clock.Now().After(limit) {
			return "", &Problem{fmt.Errorf("no end of channel activity detection: %w", ErrOscillator), remedyOscillator}
		}
	}
	level := r.dio0()
	edge, edges := r.takeEdges()
	if err := c.write(regIrqFlags, irqAll); err != nil {
		return "", err
	}
	if err := d.interruptBy(irqAll&^irqMask, dio0RxDone); err != nil {
		return "", err
	}
	switch {
	case level == Low:
		return "", &Problem{errors.New("low although the chip has something to tell"), remedy}
	case r.dio0() == High:
		return "", &Problem{errors.New("stays high"), remedy}
	case !edges:
		return "", &Problem{errors.New("goes high, but no edge is reported"), "the driver works all the same, by asking the line; update the kernel"}
	}
	return fmt.Sprintf("works; edge %v after the start of channel activity detection", edge.Sub(start).Round(time.Millisecond/10)), nil
}

// interruptBy chooses the flags that may be set, and the one that DIO0 shows.
func (d *diagnosis) interruptBy(flags, dio0 byte) error {
	if err := d.r.chip.write(regIrqFlagsMask, irqAll&^flags); err != nil {
		return err
	}
	return d.r.chip.write(regDioMapping1, dio0)
}

// receiver measures the noise.
func (d *diagnosis) receiver() (string, error) {
	const samples = 100
	r := d.r
	if err := r.listen(); err != nil {
		return "", err
	}
	r.sleep(10 * rssiSettle)
	strengths := make([]int, 0, samples)
	for range samples {
		reg, err := r.chip.read(regRssiValue)
		if err != nil {
			return "", err
		}
		strengths = append(strengths, r.model.rssi(r.cfg.Frequency, reg))
		r.sleep(time.Millisecond)
	}
	slices.Sort(strengths)
	middle, most := strengths[samples/2], strengths[samples-1]
	switch {
	case most == r.model.rssiBase(r.cfg.Frequency):
		return "", errors.New("it shows no strength at all: it does not run")
	case middle >= r.opt.listen.Threshold:
		return "", &Problem{fmt.Errorf("noise of %d dBm: every packet would wait for a free channel, from %d dBm on", middle, r.opt.listen.Threshold),
			"move the antenna away from the computer, its screen and its USB 3 devices, or change the frequency"}
	}
	return fmt.Sprintf("noise %d dBm (%d to %d)", middle, strengths[0], most), nil
}
