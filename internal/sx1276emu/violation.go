package sx1276emu

import "github.com/gopymesh/pymesh/internal/chipemu"

// Rule is a rule of the data sheet that a driver can break.
type Rule = chipemu.Rule

// Violation is a breach of a rule.
type Violation = chipemu.Violation

// The rules, and what the emulator does when they are broken.
const (
	// FIFOAsleep: the FIFO was accessed in sleep, or before the oscillator ran again.
	// It reads as zeros and does not take what is written.
	FIFOAsleep Rule = "FIFO access in sleep"
	// FIFOBusy: the FIFO was accessed while the chip transmitted, or written while it
	// received. The access happens.
	FIFOBusy Rule = "FIFO access while the modem works"
	// ConfigTransmitting: a register was written that must not change while the chip
	// transmits. It is written.
	ConfigTransmitting Rule = "configuration while transmitting"
	// ConfigReceiving: the same while it receives.
	ConfigReceiving Rule = "configuration while receiving"
	// LongRangeAwake: LongRangeMode was to change outside of sleep. It does not.
	LongRangeAwake Rule = "LongRangeMode changed outside of sleep"
	// ReadOnlyWritten: a read-only register was written. It does not change.
	ReadOnlyWritten Rule = "write to a read-only register"
	// ReservedWritten: a reserved register was written.
	ReservedWritten Rule = "write to a reserved register"
	// NotReady: the chip was accessed during or too soon after a reset. It does not
	// answer.
	NotReady Rule = "access before the chip is ready"
	// ResetPulse: the pulse on the reset pin was too short. It resets all the same.
	ResetPulse Rule = "reset pulse too short"
	// ResetDriven: the reset pin was driven to its idle level, not released.
	ResetDriven Rule = "reset pin driven to its idle level"
	// SPIClock: the clock is faster than the chip allows.
	SPIClock = chipemu.SPIClock
	// SPIMode: the SPI mode is not 0. What is read is garbage, what is written is lost.
	SPIMode = chipemu.SPIMode
	// Calibration: an image calibration was started elsewhere than in FSK standby, or
	// the mode changed while one was running. The calibration does not happen.
	Calibration Rule = "image calibration disturbed"
	// BadModem: reception or transmission began with settings that the modem does not
	// have or that do not go together. Nothing is received or sent.
	BadModem Rule = "modem settings that do not work"
	// BadFrequency: the same with a carrier that the synthesizer cannot reach.
	BadFrequency Rule = "carrier out of range"
	// Errata: reception began without the settings that the chip's errata ask for.
	Errata Rule = "errata ignored"
	// PAUnwired: transmission began on the pin that leads to no antenna.
	PAUnwired Rule = "power amplifier without antenna"
	// Overcurrent: transmission at +20 dBm began with a current limit below what that
	// takes. The power is 17 dBm.
	Overcurrent Rule = "current limit below the power's need"
	// Oscillator: the chip was told that the board has a TCXO, but it has a crystal. The
	// modem stands still until a reset.
	Oscillator Rule = "TCXO input without a TCXO"
	// FSKModem: the FSK modem was used, which is not emulated.
	FSKModem Rule = "FSK modem used"
	// RSSIIdle: RegRssiValue was read while the receiver did not run.
	RSSIIdle Rule = "RSSI read while not receiving"
)
