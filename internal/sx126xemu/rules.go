package sx126xemu

import "github.com/gopymesh/pymesh/internal/chipemu"

// Rule is a rule of the data sheet that a driver can break.
type Rule = chipemu.Rule

// Violation is a breach of a rule.
type Violation = chipemu.Violation

// The rules, and what the emulator does when they are broken.
const (
	// CommandBusy: a command came while BUSY was high. It is lost.
	CommandBusy Rule = "command while BUSY is high"
	// CommandLength: it had too few parameters. It is lost.
	CommandLength Rule = "command too short"
	// UnknownCommand: there is no such command, or it is not emulated.
	UnknownCommand Rule = "unknown command"
	// WrongMode: the command is not allowed in this mode. It fails.
	WrongMode Rule = "command in the wrong mode"
	// WrongPacketType: settings of LoRa came, or a packet, before the packet type was set to LoRa. They are lost.
	WrongPacketType Rule = "packet type is not LoRa"
	// BadModem: settings that the modem does not have, or that do not go together. Nothing is received or sent.
	BadModem Rule = "modem settings that do not work"
	// BadFrequency: a carrier that the synthesizer cannot reach. Nothing is received or sent.
	BadFrequency Rule = "carrier out of range"
	// Errata: reception or transmission began without what chapter 15 of the data sheet asks for.
	Errata Rule = "errata ignored"
	// ImageCalibration: reception began in a band for which the image rejection is not calibrated.
	ImageCalibration Rule = "image not calibrated for this band"
	// BadPower: power amplifier settings that the data sheet does not list, or a power that they do not have.
	BadPower Rule = "power amplifier settings that are not allowed"
	// Overcurrent: the current limit is below what the power takes. The power is 5 dB less.
	Overcurrent Rule = "current limit below the power's need"
	// Overpower: the chip's power is more than the amplifier behind it bears.
	Overpower Rule = "more power than the amplifier behind the chip bears"
	// Overvoltage: the TCXO gets more than its voltage.
	Overvoltage Rule = "TCXO voltage too high"
	// Regulator: DC-DC was chosen on a board without its inductor. The chip stands still.
	Regulator Rule = "DC-DC without an inductor"
	// SwitchUndriven: the antenna switch is not where it must be. Signals are 40 dB weaker, or not heard.
	SwitchUndriven Rule = "antenna switch not driven"
	// SleepAccess: the chip was selected in the first 500 µs of its sleep.
	SleepAccess Rule = "access right after SetSleep"
	// ResetPulse: the pulse on the reset pin was too short.
	ResetPulse Rule = "reset pulse too short"
	// ResetDriven: the reset pin was driven to its idle level, not released.
	ResetDriven Rule = "reset pin driven to its idle level"
	// BadCAD: parameters of channel activity detection far from those that Semtech gives. It finds nothing.
	BadCAD Rule = "parameters of activity detection that do not work"
	// NoInterrupt: reception or transmission began while the flag that ends it is not in the mask.
	NoInterrupt Rule = "flag of the end not in the mask"
	// ReservedWritten: a register was written that the data sheet does not name.
	ReservedWritten Rule = "write to a reserved register"
)
