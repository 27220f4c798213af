package sx126x

import (
	"errors"
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/internal/driver"
	"github.com/gopymesh/pymesh/lora/transceiver"
	"periph.io/x/conn/v3/spi"
)

// DiagnoseChip does what [Diagnose] does with a chip at a port and pins of one's own. The chip is
// asleep in the end.
func DiagnoseChip(port spi.Port, pins Pins, board Board, cfg lora.Config, opts ...Option) []Check {
	r, err := newRadio(pins, board, cfg, opts)
	if err != nil {
		return []Check{{Name: "settings", Err: err}}
	}
	d := diagnosis{r.chip, r.driver.PollEvery()}
	checks := driver.Diagnose(
		driver.Step{Name: "SPI", Do: func() (string, error) { return d.connect(port) }},
		driver.Step{Name: "BUSY", Do: d.busy},
		driver.Step{Name: "chip", Do: d.identify},
		driver.Step{Name: "reset", Do: d.reset, GoesOn: true},
		driver.Step{Name: "oscillator", Do: d.oscillator},
		driver.Step{Name: "registers", Do: d.registers},
		driver.Step{Name: "switch", Do: d.antennaSwitch},
		driver.Step{Name: "DIO1", Do: d.dio1, GoesOn: true},
		driver.Step{Name: "receiver", Do: d.receiver},
	)
	if d.Connected() {
		_ = d.ShutDown() // what is wrong has been said
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
	if err := d.chip.reset(); err != nil {
		return "", err
	}
	return fmt.Sprintf("%v at %v", port, d.opt.SPIClock), nil
}

// busy sees whether BUSY falls after a reset, and rises before.
func (d *diagnosis) busy() (string, error) {
	c := d.chip
	if err := c.ready(); err != nil {
		return "", c.betterError(err)
	}
	if c.pins.Reset == nil {
		return "low", nil
	}
	if err := c.pins.Reset.Drive(transceiver.Low); err != nil {
		return "", err
	}
	c.sleep(resetPulse)
	if err := c.pins.Reset.Float(); err != nil {
		return "", err
	}
	level, err := c.pins.Busy.Level()
	if err != nil {
		return "", err
	}
	start := c.clock.Now()
	c.sleep(wakeTime)
	if err := c.ready(); err != nil {
		return "", err
	}
	if level == transceiver.Low {
		if v, ok := c.sx127x(); ok {
			return "", &Problem{Err: fmt.Errorf("RegVersion 0x%02X, an SX1276 or SX1272 answers: %w", v, ErrOtherChip), Remedy: remedySX127x}
		}
		return "", &Problem{Err: errors.New("low right after a reset"), Remedy: "BUSY or reset leads to another line, or nowhere: check the board's Busy and Reset"}
	}
	return fmt.Sprintf("falls %v after a reset", c.clock.Now().Sub(start).Round(time.Millisecond/10)), nil
}

func (d *diagnosis) identify() (string, error) {
	if err := d.chip.identify(); err != nil {
		return "", err
	}
	return fmt.Sprintf("%q; by the board it is an %v", d.version, d.board.Chip), nil
}

// reset sees whether a register forgets.
func (d *diagnosis) reset() (string, error) {
	c := d.chip
	if c.pins.Reset == nil {
		return "not wired; the chip is brought back by setting it up", nil
	}
	mark := [2]byte{0x55, 0xAA}
	if err := c.standby(); err != nil {
		return "", err
	}
	if err := c.writeRegisters(regSyncWord, mark[0], mark[1]); err != nil {
		return "", err
	}
	if err := c.reset(); err != nil {
		return "", err
	}
	got, err := c.readRegisters(regSyncWord, 2)
	if err != nil {
		return "", err
	}
	if [2]byte(got) == mark {
		return "", &Problem{Err: errors.New("the chip does not reset"),
			Remedy: "the reset line is another one, or not connected: check the board's Reset, or leave it empty"}
	}
	return "works", nil
}

func (d *diagnosis) oscillator() (string, error) {
	if err := d.standby(); err != nil {
		return "", err
	}
	start := d.clock.Now()
	if err := d.startOscillator(); err != nil {
		return "", err
	}
	if err := d.ready(); err != nil {
		return "", err
	}
	what := "crystal"
	if d.board.TCXO != 0 {
		what = fmt.Sprintf("TCXO at %d.%d V", d.board.TCXO/1000, d.board.TCXO%1000/100)
	}
	return fmt.Sprintf("%s, runs; calibration took %v", what, d.clock.Now().Sub(start).Round(time.Millisecond)), nil
}

func (d *diagnosis) registers() (string, error) {
	if err := d.configure(); err != nil {
		return "", err
	}
	if err := d.testBuffer(); err != nil {
		return "", err
	}
	if err := d.compare(); err != nil {
		return "", err
	}
	return "written and read back, the buffer too", nil
}

// antennaSwitch says who moves it: nobody can find out whether that is right without another radio.
func (d *diagnosis) antennaSwitch() (string, error) {
	host := d.pins.RXEN != nil || d.pins.TXEN != nil
	switch {
	case d.board.DIO2Switch && host:
		return "moved by DIO2 and by lines of the host", nil
	case d.board.DIO2Switch:
		return "moved by DIO2", nil
	case host:
		return "moved by lines of the host", nil
	}
	return "nobody moves it: a module with RXEN and TXEN is deaf like that, and mute", nil
}

// dio1 lets the chip look for activity on the channel, which ends with an interrupt and sends nothing.
func (d *diagnosis) dio1() (string, error) {
	c := d.chip
	if c.pins.DIO1 == nil {
		return fmt.Sprintf("not wired; the chip is asked every %v", d.pollEvery.Round(time.Millisecond/10)), nil
	}
	show := func(line uint16) error {
		return c.command(opDioIrqParams, irqMask>>8, irqMask&0xFF, byte(line>>8), byte(line), 0, 0, 0, 0)
	}
	if err := c.moveSwitch(transceiver.High, transceiver.Low); err != nil {
		return "", err
	}
	if err := c.clearIrq(irqMask); err != nil {
		return "", err
	}
	return driver.TryLine(c.clock, c.pins.DIO1, "DIO1", func() error {
		if err := show(irqCadDone); err != nil {
			return err
		}
		return c.begin(modeRx, opCad)
	}, func() error {
		if _, err := c.awaitCAD(); err != nil {
			return fmt.Errorf("no end of channel activity detection: %w", err)
		}
		return nil
	}, func() error {
		if err := c.command(opStandby, 1); err != nil {
			return err
		}
		if err := c.clearIrq(irqMask); err != nil {
			return err
		}
		return show(irqLine)
	})
}

// receiver measures the noise.
func (d *diagnosis) receiver() (string, error) {
	c := d.chip
	if err := c.receive(); err != nil {
		return "", err
	}
	return driver.Noise(c.clock, c.opt.Listen, silence, func() (int, error) {
		if err := c.ask(opRssiInst, 1); err != nil {
			return 0, err
		}
		return -int(c.R[2]) / 2, nil
	})
}
