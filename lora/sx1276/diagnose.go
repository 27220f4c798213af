package sx1276

import (
	"errors"
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/internal/driver"
	"periph.io/x/conn/v3/spi"
)

// DiagnoseChip does what [Diagnose] does with a chip at a port and pins of one's own. The chip is
// asleep in the end.
func DiagnoseChip(port spi.Port, pins Pins, cfg lora.Config, opts ...Option) []Check {
	r, err := newRadio(pins, cfg, opts)
	if err != nil {
		return []Check{{Name: "settings", Err: err}}
	}
	d := diagnosis{r.chip, r.driver.PollEvery()}
	checks := driver.Diagnose(
		driver.Step{Name: "SPI", Do: func() (string, error) { return d.connect(port) }},
		driver.Step{Name: "chip", Do: d.identify},
		driver.Step{Name: "reset", Do: d.reset, GoesOn: true},
		driver.Step{Name: "oscillator", Do: d.oscillator},
		driver.Step{Name: "registers", Do: d.registers},
		driver.Step{Name: "DIO0", Do: d.dio0, GoesOn: true},
		driver.Step{Name: "receiver", Do: d.receiver},
	)
	if d.Connected() {
		_ = d.setMode(d.mode(modeSleep)) // what is wrong has been said
	}
	return checks
}

// diagnosis is the work of Diagnose.
type diagnosis struct {
	*chip
	pollEvery time.Duration
}

func (d *diagnosis) connect(port spi.Port) (string, error) {
	if err := d.chip.connect(port); err != nil {
		return "", err
	}
	if _, err := d.read(regVersion); err != nil {
		return "", err
	}
	return fmt.Sprintf("%v at %v", port, d.opt.SPIClock), nil
}

func (d *diagnosis) identify() (string, error) {
	if err := d.findModel(); err != nil {
		return "", err
	}
	m := d.model
	return fmt.Sprintf("%s, version 0x%02X", m.name, m.version), d.makeSettings()
}

// reset sees whether a register forgets.
func (d *diagnosis) reset() (string, error) {
	c := d.chip
	if c.pins.Reset == nil {
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
		err = c.reset()
	}
	if err != nil {
		return "", err
	}
	got, err := c.read(regFrfMid)
	if err != nil {
		return "", err
	}
	if got == mark {
		return "", &Problem{Err: errors.New("the chip does not reset"),
			Remedy: "the reset line is another one, or not connected: check the board's Reset, or leave it empty"}
	}
	return "works", nil
}

func (d *diagnosis) oscillator() (string, error) {
	if err := d.wake(); err != nil {
		return "", err
	}
	start := d.clock.Now()
	if err := d.calibrate(); err != nil {
		return "", err
	}
	if !d.model.lowBands {
		return "not checked", nil
	}
	return fmt.Sprintf("runs; image calibration at %v took %v", d.cfg.Frequency, d.clock.Now().Sub(start).Round(time.Millisecond)), nil
}

func (d *diagnosis) registers() (string, error) {
	if err := d.configure(); err != nil {
		return "", err
	}
	if err := d.testFIFO(); err != nil {
		return "", err
	}
	return "written and read back, the FIFO too", nil
}

// dio0 lets the chip look for activity on the channel, which ends with an interrupt and sends nothing.
func (d *diagnosis) dio0() (string, error) {
	c := d.chip
	if c.pins.DIO0 == nil {
		return fmt.Sprintf("not wired; the chip is asked every %v", d.pollEvery.Round(time.Millisecond/10)), nil
	}
	return driver.TryLine(c.clock, c.pins.DIO0, "DIO0", func() error {
		if err := c.write(regDioMapping1, dio0CadDone); err != nil {
			return err
		}
		return c.setMode(c.mode(modeCad))
	}, func() error {
		if _, err := c.awaitCAD(); err != nil {
			return fmt.Errorf("no end of channel activity detection: %w", err)
		}
		return nil
	}, func() error {
		if err := c.write(regIrqFlags, irqAll); err != nil {
			return err
		}
		return c.write(regDioMapping1, dio0RxDone)
	})
}

// receiver measures the noise.
func (d *diagnosis) receiver() (string, error) {
	c := d.chip
	if err := c.receive(); err != nil {
		return "", err
	}
	return driver.Noise(c.clock, c.opt.Listen, c.model.rssiBase(c.cfg.Frequency), func() (int, error) {
		reg, err := c.read(regRssiValue)
		return c.model.rssi(c.cfg.Frequency, reg), err
	})
}
