package sx1276

import "fmt"

// register is the address of a register.
type register byte

// The registers in use (data sheet, table 41; those from 0x0D to 0x3F as LoRa mode shows
// them).
const (
	regFifo            register = 0x00
	regOpMode          register = 0x01
	regFrfMsb          register = 0x06
	regFrfMid          register = 0x07
	regFrfLsb          register = 0x08
	regPaConfig        register = 0x09
	regOcp             register = 0x0b
	regLna             register = 0x0c
	regFifoAddrPtr     register = 0x0d
	regFifoTxBaseAddr  register = 0x0e
	regFifoRxBaseAddr  register = 0x0f
	regFifoRxCurrent   register = 0x10
	regIrqFlagsMask    register = 0x11
	regIrqFlags        register = 0x12
	regRxNbBytes       register = 0x13
	regModemStat       register = 0x18
	regPktSnrValue     register = 0x19
	regPktRssiValue    register = 0x1a
	regRssiValue       register = 0x1b
	regHopChannel      register = 0x1c
	regModemConfig1    register = 0x1d
	regModemConfig2    register = 0x1e
	regSymbTimeoutLsb  register = 0x1f
	regPreambleMsb     register = 0x20
	regPreambleLsb     register = 0x21
	regPayloadLength   register = 0x22
	regMaxPayload      register = 0x23
	regHopPeriod       register = 0x24
	regModemConfig3    register = 0x26 // not in the SX1272
	regIfFreq2         register = 0x2f // errata note, section 2.3
	regIfFreq1         register = 0x30
	regDetectOptimize  register = 0x31
	regInvertIQ        register = 0x33
	regHighBwOptimize1 register = 0x36 // errata note, section 2.1
	regDetectThreshold register = 0x37
	regSyncWord        register = 0x39
	regHighBwOptimize2 register = 0x3a // errata note, section 2.1
	regInvertIQ2       register = 0x3b
	regDioMapping1     register = 0x40
	regDioMapping2     register = 0x41
	regVersion         register = 0x42
	regTcxo            register = 0x4b // 0x58 in the SX1272
	regTcxo1272        register = 0x58
	regPaDac           register = 0x4d // 0x5A in the SX1272
	regPaDac1272       register = 0x5a

	// As FSK mode shows it.
	regImageCal register = 0x3b
)

var registerNames = map[register]string{
	regFifo:            "RegFifo",
	regOpMode:          "RegOpMode",
	regFrfMsb:          "RegFrfMsb",
	regFrfMid:          "RegFrfMid",
	regFrfLsb:          "RegFrfLsb",
	regPaConfig:        "RegPaConfig",
	regOcp:             "RegOcp",
	regLna:             "RegLna",
	regFifoAddrPtr:     "RegFifoAddrPtr",
	regFifoTxBaseAddr:  "RegFifoTxBaseAddr",
	regFifoRxBaseAddr:  "RegFifoRxBaseAddr",
	regIrqFlagsMask:    "RegIrqFlagsMask",
	regIrqFlags:        "RegIrqFlags",
	regRssiValue:       "RegRssiValue",
	regModemConfig1:    "RegModemConfig1",
	regModemConfig2:    "RegModemConfig2",
	regSymbTimeoutLsb:  "RegSymbTimeoutLsb",
	regPreambleMsb:     "RegPreambleMsb",
	regPreambleLsb:     "RegPreambleLsb",
	regPayloadLength:   "RegPayloadLength",
	regMaxPayload:      "RegMaxPayloadLength",
	regHopPeriod:       "RegHopPeriod",
	regModemConfig3:    "RegModemConfig3",
	regIfFreq2:         "RegIfFreq2",
	regIfFreq1:         "RegIfFreq1",
	regDetectOptimize:  "RegDetectOptimize",
	regInvertIQ:        "RegInvertIQ",
	regHighBwOptimize1: "RegHighBwOptimize1",
	regDetectThreshold: "RegDetectionThreshold",
	regSyncWord:        "RegSyncWord",
	regHighBwOptimize2: "RegHighBwOptimize2",
	regInvertIQ2:       "RegInvertIQ2",
	regDioMapping1:     "RegDioMapping1",
	regDioMapping2:     "RegDioMapping2",
	regVersion:         "RegVersion",
	regTcxo:            "RegTcxo",
	regTcxo1272:        "RegTcxo",
	regPaDac:           "RegPaDac",
	regPaDac1272:       "RegPaDac",
}

// String returns the data sheet's name.
func (r register) String() string {
	if name, ok := registerNames[r]; ok {
		return name
	}
	return fmt.Sprintf("register 0x%02X", byte(r))
}

// writeBit in an address asks for a write (data sheet, section 4.3).
const writeBit = 0x80

// RegOpMode.
const (
	longRangeMode    = 0x80 // LoRa; can be changed in sleep alone
	lowFrequencyMode = 0x08 // the test registers are those of the low bands
	modeMask         = 0x07

	modeSleep        = 0x00
	modeStandby      = 0x01
	modeTx           = 0x03
	modeRxContinuous = 0x05
	modeCad          = 0x07
)

// RegIrqFlags and, inverted, RegIrqFlagsMask.
const (
	irqRxDone          = 0x40
	irqPayloadCrcError = 0x20
	irqTxDone          = 0x08
	irqCadDone         = 0x04
	irqCadDetected     = 0x01
	irqAll             = 0xff

	// irqMask lets pass what the driver wants to know. DIO0 does not show the end of channel activity detection.
	irqMask = irqAll &^ (irqRxDone | irqPayloadCrcError | irqTxDone | irqCadDone | irqCadDetected)
)

// RegDioMapping1: what DIO0 stands for (data sheet, table 18).
const (
	dio0RxDone  = 0x00
	dio0TxDone  = 0x40
	dio0CadDone = 0x80
)

// RegModemStat.
const (
	statHeaderValid  = 0x08
	statSynchronized = 0x02
	statDetected     = 0x01 // a preamble

	statReceiving = statHeaderValid | statSynchronized | statDetected
)

// Other bits.
const (
	crcOnPayload = 0x40 // RegHopChannel

	paBoost    = 0x80 // RegPaConfig
	maxPower   = 0x70
	paDacPlain = 0x84 // RegPaDac
	paDac20dBm = 0x87

	ocpOn     = 0x20 // RegOcp
	ocp100mA  = 0x0b // the chip's default
	ocp140mA  = 0x11 // for +20 dBm
	lnaBest   = 0x23 // RegLna: highest gain, boost of the HF port
	tcxoInput = 0x10 // RegTcxo
	tcxoRest  = 0x09

	imageCalStart   = 0x40 // RegImageCal
	imageCalRunning = 0x20
)

// fifoSize is the size of the FIFO.
const fifoSize = 256
