package sx1276emu

import "fmt"

// Addresses of registers, by the names of the data sheet (SX1276/77/78/79, table 41).
// Those from 0x0D to 0x3F exist twice; the names without Fsk are of the LoRa page.
const (
	regFifo              = 0x00
	regOpMode            = 0x01
	regFrfMsb            = 0x06
	regFrfMid            = 0x07
	regFrfLsb            = 0x08
	regPaConfig          = 0x09
	regPaRamp            = 0x0A
	regOcp               = 0x0B
	regLna               = 0x0C
	regFifoAddrPtr       = 0x0D
	regFifoTxBaseAddr    = 0x0E
	regFifoRxBaseAddr    = 0x0F
	regFifoRxCurrentAddr = 0x10
	regIrqFlagsMask      = 0x11
	regIrqFlags          = 0x12
	regRxNbBytes         = 0x13
	regRxHeaderCntMsb    = 0x14
	regRxHeaderCntLsb    = 0x15
	regRxPacketCntMsb    = 0x16
	regRxPacketCntLsb    = 0x17
	regModemStat         = 0x18
	regPktSnrValue       = 0x19
	regPktRssiValue      = 0x1A
	regRssiValue         = 0x1B
	regHopChannel        = 0x1C
	regModemConfig1      = 0x1D
	regModemConfig2      = 0x1E
	regSymbTimeoutLsb    = 0x1F
	regPreambleMsb       = 0x20
	regPreambleLsb       = 0x21
	regPayloadLength     = 0x22
	regMaxPayloadLength  = 0x23
	regHopPeriod         = 0x24
	regFifoRxByteAddr    = 0x25
	regModemConfig3      = 0x26
	regRssiWideband      = 0x2C
	regIfFreq2           = 0x2F
	regIfFreq1           = 0x30
	regDetectOptimize    = 0x31
	regInvertIQ          = 0x33
	regHighBWOptimize1   = 0x36
	regDetectThreshold   = 0x37
	regSyncWord          = 0x39
	regHighBWOptimize2   = 0x3A
	regInvertIQ2         = 0x3B
	regFskImageCal       = 0x3B
	regFskIrqFlags1      = 0x3E
	regFskIrqFlags2      = 0x3F
	regDioMapping1       = 0x40
	regDioMapping2       = 0x41
	regVersion           = 0x42
)

const (
	pageBegin = 0x0D // first and last register that exist twice
	pageEnd   = 0x3F

	writeBit    = 0x80 // of the address byte
	addressMask = 0x7F
)

// access says what may be done to a register.
type access uint8

const (
	receiving    access = 1 << iota // it may be written while the chip receives
	transmitting                    // it may be written while the chip transmits
	readOnly
	reserved access = 0 // as the name is empty
	anytime         = receiving | transmitting
)

// register describes a register. One without a name is reserved: it reads as it was
// reset and is not to be written.
type register struct {
	name   string
	reset  byte
	access access
}

// bank is the set of registers of a chip: a LoRa page, an FSK page, and what is common.
// Both pages are indexed by the full address.
type bank struct {
	common, lora, fsk map[byte]register
}

// commonRegisters are those of both chips outside the pages.
var commonRegisters = map[byte]register{
	regFifo:        {"RegFifo", 0x00, receiving},
	regOpMode:      {"RegOpMode", 0x09, anytime},
	0x02:           {"RegBitrateMsb", 0x1A, 0},
	0x03:           {"RegBitrateLsb", 0x0B, 0},
	0x04:           {"RegFdevMsb", 0x00, 0},
	0x05:           {"RegFdevLsb", 0x52, 0},
	regFrfMsb:      {"RegFrfMsb", 0x6C, 0},
	regFrfMid:      {"RegFrfMid", 0x80, 0},
	regFrfLsb:      {"RegFrfLsb", 0x00, 0},
	regPaConfig:    {"RegPaConfig", 0x4F, receiving},
	regPaRamp:      {"RegPaRamp", 0x09, receiving},
	regOcp:         {"RegOcp", 0x2B, receiving},
	regLna:         {"RegLna", 0x20, receiving},
	regDioMapping1: {"RegDioMapping1", 0x00, anytime},
	regDioMapping2: {"RegDioMapping2", 0x00, anytime},
	regVersion:     {"RegVersion", 0x12, readOnly},
}

var loraRegisters = map[byte]register{
	regFifoAddrPtr:       {"RegFifoAddrPtr", 0x00, receiving},
	regFifoTxBaseAddr:    {"RegFifoTxBaseAddr", 0x80, 0},
	regFifoRxBaseAddr:    {"RegFifoRxBaseAddr", 0x00, 0},
	regFifoRxCurrentAddr: {"RegFifoRxCurrentAddr", 0x00, readOnly},
	regIrqFlagsMask:      {"RegIrqFlagsMask", 0x00, anytime},
	regIrqFlags:          {"RegIrqFlags", 0x00, anytime},
	regRxNbBytes:         {"RegRxNbBytes", 0x00, readOnly},
	regRxHeaderCntMsb:    {"RegRxHeaderCntValueMsb", 0x00, readOnly},
	regRxHeaderCntLsb:    {"RegRxHeaderCntValueLsb", 0x00, readOnly},
	regRxPacketCntMsb:    {"RegRxPacketCntValueMsb", 0x00, readOnly},
	regRxPacketCntLsb:    {"RegRxPacketCntValueLsb", 0x00, readOnly},
	regModemStat:         {"RegModemStat", 0x10, readOnly},
	regPktSnrValue:       {"RegPktSnrValue", 0x00, readOnly},
	regPktRssiValue:      {"RegPktRssiValue", 0x00, readOnly},
	regRssiValue:         {"RegRssiValue", 0x00, readOnly},
	regHopChannel:        {"RegHopChannel", 0x00, readOnly},
	regModemConfig1:      {"RegModemConfig1", 0x72, 0},
	regModemConfig2:      {"RegModemConfig2", 0x70, 0},
	regSymbTimeoutLsb:    {"RegSymbTimeoutLsb", 0x64, 0},
	regPreambleMsb:       {"RegPreambleMsb", 0x00, 0},
	regPreambleLsb:       {"RegPreambleLsb", 0x08, 0},
	regPayloadLength:     {"RegPayloadLength", 0x01, 0},
	regMaxPayloadLength:  {"RegMaxPayloadLength", 0xFF, 0},
	regHopPeriod:         {"RegHopPeriod", 0x00, 0},
	regFifoRxByteAddr:    {"RegFifoRxByteAddr", 0x00, readOnly},
	regModemConfig3:      {"RegModemConfig3", 0x04, 0},
	0x27:                 {"RegPpmCorrection", 0x00, 0},
	0x28:                 {"RegFeiMsb", 0x00, readOnly},
	0x29:                 {"RegFeiMid", 0x00, readOnly},
	0x2A:                 {"RegFeiLsb", 0x00, readOnly},
	regRssiWideband:      {"RegRssiWideband", 0x00, readOnly},
	regIfFreq2:           {"RegIfFreq2", 0x20, 0},
	regIfFreq1:           {"RegIfFreq1", 0x00, 0},
	regDetectOptimize:    {"RegDetectOptimize", 0xC3, 0},
	regInvertIQ:          {"RegInvertIQ", 0x27, 0},
	regHighBWOptimize1:   {"RegHighBWOptimize1", 0x03, 0},
	regDetectThreshold:   {"RegDetectionThreshold", 0x0A, 0},
	regSyncWord:          {"RegSyncWord", 0x12, 0},
	regHighBWOptimize2:   {"RegHighBWOptimize2", 0x20, 0},
	regInvertIQ2:         {"RegInvertIQ2", 0x1D, 0},
}

var fskRegisters = map[byte]register{
	0x0D:            {"RegRxConfig", 0x08, 0},
	0x0E:            {"RegRssiConfig", 0x02, 0},
	0x0F:            {"RegRssiCollision", 0x0A, 0},
	0x10:            {"RegRssiThresh", 0xFF, 0},
	0x11:            {"RegRssiValue", 0x00, readOnly},
	0x12:            {"RegRxBw", 0x15, 0},
	0x13:            {"RegAfcBw", 0x0B, 0},
	0x14:            {"RegOokPeak", 0x28, 0},
	0x15:            {"RegOokFix", 0x0C, 0},
	0x16:            {"RegOokAvg", 0x12, 0},
	0x1A:            {"RegAfcFei", 0x00, 0},
	0x1B:            {"RegAfcMsb", 0x00, 0},
	0x1C:            {"RegAfcLsb", 0x00, 0},
	0x1D:            {"RegFeiMsb", 0x00, readOnly},
	0x1E:            {"RegFeiLsb", 0x00, readOnly},
	0x1F:            {"RegPreambleDetect", 0x40, 0},
	0x20:            {"RegRxTimeout1", 0x00, 0},
	0x21:            {"RegRxTimeout2", 0x00, 0},
	0x22:            {"RegRxTimeout3", 0x00, 0},
	0x23:            {"RegRxDelay", 0x00, 0},
	0x24:            {"RegOsc", 0x05, 0},
	0x25:            {"RegPreambleMsb", 0x00, 0},
	0x26:            {"RegPreambleLsb", 0x03, 0},
	0x27:            {"RegSyncConfig", 0x93, 0},
	0x28:            {"RegSyncValue1", 0x55, 0},
	0x29:            {"RegSyncValue2", 0x55, 0},
	0x2A:            {"RegSyncValue3", 0x55, 0},
	0x2B:            {"RegSyncValue4", 0x55, 0},
	0x2C:            {"RegSyncValue5", 0x55, 0},
	0x2D:            {"RegSyncValue6", 0x55, 0},
	0x2E:            {"RegSyncValue7", 0x55, 0},
	0x2F:            {"RegSyncValue8", 0x55, 0},
	0x30:            {"RegPacketConfig1", 0x90, 0},
	0x31:            {"RegPacketConfig2", 0x40, 0},
	0x32:            {"RegPayloadLength", 0x40, 0},
	0x33:            {"RegNodeAdrs", 0x00, 0},
	0x34:            {"RegBroadcastAdrs", 0x00, 0},
	0x35:            {"RegFifoThresh", 0x0F, 0},
	0x36:            {"RegSeqConfig1", 0x00, 0},
	0x37:            {"RegSeqConfig2", 0x00, 0},
	0x38:            {"RegTimerResol", 0x00, 0},
	0x39:            {"RegTimer1Coef", 0xF5, 0},
	0x3A:            {"RegTimer2Coef", 0x20, 0},
	regFskImageCal:  {"RegImageCal", 0x82, 0},
	0x3C:            {"RegTemp", 0x00, readOnly},
	0x3D:            {"RegLowBat", 0x02, 0},
	regFskIrqFlags1: {"RegIrqFlags1", 0x80, readOnly},
	regFskIrqFlags2: {"RegIrqFlags2", 0x40, readOnly},
}

// lookup returns the description of a register.
func (b *bank) lookup(addr byte, fskPage bool) register {
	switch {
	case addr < pageBegin || addr > pageEnd:
		return b.common[addr]
	case fskPage:
		return b.fsk[addr]
	default:
		return b.lora[addr]
	}
}

// registerName returns the data sheet's name, or the address of a reserved register.
func (b *bank) registerName(addr byte, fskPage bool) string {
	if r := b.lookup(addr, fskPage); r.name != "" {
		return r.name
	}
	return fmt.Sprintf("register 0x%02X", addr)
}
