package sx1276emu

import (
	"fmt"
	"time"
)

// Rule is a rule of the data sheet that a driver can break.
type Rule uint8

// The rules, and what the emulator does when they are broken.
const (
	// FIFOAsleep: the FIFO was accessed in sleep, or before the oscillator ran again.
	// It reads as zeros and does not take what is written.
	FIFOAsleep Rule = iota + 1
	// FIFOBusy: the FIFO was accessed while the chip transmitted, or written while it
	// received. The access happens.
	FIFOBusy
	// ConfigTransmitting: a register was written that must not change while the chip
	// transmits. It is written.
	ConfigTransmitting
	// ConfigReceiving: the same while it receives.
	ConfigReceiving
	// LongRangeAwake: LongRangeMode was to change outside of sleep. It does not.
	LongRangeAwake
	// ReadOnlyWritten: a read-only register was written. It does not change.
	ReadOnlyWritten
	// ReservedWritten: a reserved register was written.
	ReservedWritten
	// NotReady: the chip was accessed during or too soon after a reset. It does not
	// answer.
	NotReady
	// ResetPulse: the pulse on the reset pin was too short. It resets all the same.
	ResetPulse
	// ResetDriven: the reset pin was driven to its idle level, not released.
	ResetDriven
	// SPIClock: the clock is faster than the chip allows.
	SPIClock
	// SPIMode: the SPI mode is not 0. What is read is garbage, what is written is lost.
	SPIMode
	// Calibration: an image calibration was started elsewhere than in FSK standby, or
	// the mode changed while one was running. The calibration does not happen.
	Calibration
	// BadModem: reception or transmission began with settings that the modem does not
	// have or that do not go together. Nothing is received or sent.
	BadModem
	// BadFrequency: the same with a carrier that the synthesizer cannot reach.
	BadFrequency
	// Errata: reception began without the settings that the chip's errata ask for.
	Errata
	// PAUnwired: transmission began on the pin that leads to no antenna.
	PAUnwired
	// Overcurrent: transmission at +20 dBm began with a current limit below what that
	// takes. The power is 17 dBm.
	Overcurrent
	// Oscillator: the chip was told that the board has a TCXO, but it has a crystal. The
	// modem stands still until a reset.
	Oscillator
	// FSKModem: the FSK modem was used, which is not emulated.
	FSKModem
	// RSSIIdle: RegRssiValue was read while the receiver did not run.
	RSSIIdle
)

var ruleNames = [...]string{
	FIFOAsleep:         "FIFO access in sleep",
	FIFOBusy:           "FIFO access while the modem works",
	ConfigTransmitting: "configuration while transmitting",
	ConfigReceiving:    "configuration while receiving",
	LongRangeAwake:     "LongRangeMode changed outside of sleep",
	ReadOnlyWritten:    "write to a read-only register",
	ReservedWritten:    "write to a reserved register",
	NotReady:           "access before the chip is ready",
	ResetPulse:         "reset pulse too short",
	ResetDriven:        "reset pin driven to its idle level",
	SPIClock:           "SPI clock too fast",
	SPIMode:            "SPI mode not 0",
	Calibration:        "image calibration disturbed",
	BadModem:           "modem settings that do not work",
	BadFrequency:       "carrier out of range",
	Errata:             "errata ignored",
	PAUnwired:          "power amplifier without antenna",
	Overcurrent:        "current limit below the power's need",
	Oscillator:         "TCXO input without a TCXO",
	FSKModem:           "FSK modem used",
	RSSIIdle:           "RSSI read while not receiving",
}

// String returns the rule in words.
func (r Rule) String() string {
	if r == 0 || int(r) >= len(ruleNames) {
		return fmt.Sprintf("Rule(%d)", uint8(r))
	}
	return ruleNames[r]
}

// Violation is a breach of a rule.
type Violation struct {
	Time   time.Time
	Rule   Rule
	Detail string // names the register, where one is concerned
}

// String returns the rule and the detail.
func (v Violation) String() string { return v.Rule.String() + ": " + v.Detail }

// maxViolations is how many a chip remembers.
const maxViolations = 1000

// Violations returns the breaches so far, the first ones if there are very many.
func (c *Chip) Violations() []Violation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Violation(nil), c.violations...)
}

// violate notes a breach. One transaction breaks a rule only once.
func (c *Chip) violate(rule Rule, format string, args ...any) {
	if c.broken&(1<<rule) != 0 {
		return
	}
	c.broken |= 1 << rule
	v := Violation{c.now, rule, fmt.Sprintf(format, args...)}
	if len(c.violations) < maxViolations {
		c.violations = append(c.violations, v)
	}
	if c.opt.OnViolation != nil {
		c.unreported = append(c.unreported, v)
	}
}
