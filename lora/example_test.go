package lora_test

import (
	"fmt"

	"github.com/gopymesh/pymesh/lora"
)

func ExampleConfig_Airtime() {
	c := lora.Config{Region: lora.EU868, SpreadingFactor: lora.SF7}
	fmt.Println("acknowledgment:", c.Airtime(5))
	fmt.Println("longest frame: ", c.Airtime(127))
	c.SpreadingFactor = lora.SF12
	fmt.Println("at SF12:       ", c.Airtime(127))
	// Output:
	// acknowledgment: 30.976ms
	// longest frame:  210.176ms
	// at SF12:        4.923392s
}

func ExampleConfig_Validate() {
	c := lora.Config{Region: lora.US915, Frequency: 868 * lora.MHz}
	fmt.Println(c.Validate())
	// Output:
	// lora: Frequency 868 MHz: US915 accepts 902 MHz to 928 MHz
}

func ExampleConfig_WithDefaults() {
	c := lora.Config{Region: lora.AU915}.WithDefaults()
	fmt.Println(c.Frequency, c.Bandwidth, c.SpreadingFactor, c.CodingRate, c.SyncWord, c.TxPower, "dBm")
	// Output:
	// 915 MHz 500 kHz SF7 4/5 0x34 20 dBm
}

func ExampleParseRegion() {
	r, err := lora.ParseRegion("eu868")
	fmt.Println(r, err)
	lowest, highest := r.Frequencies()
	fmt.Println(lowest, "to", highest)
	// Output:
	// EU868 <nil>
	// 863 MHz to 870 MHz
}

func ExampleConfig_Sensitivity() {
	for sf := lora.SF7; sf <= lora.SF12; sf++ {
		c := lora.Config{SpreadingFactor: sf}
		fmt.Printf("%v: SNR %.1f dB, %.1f dBm\n", sf, sf.SNRLimit(), c.Sensitivity())
	}
	// Output:
	// SF7: SNR -7.5 dB, -124.5 dBm
	// SF8: SNR -10.0 dB, -127.0 dBm
	// SF9: SNR -12.5 dB, -129.5 dBm
	// SF10: SNR -15.0 dB, -132.0 dBm
	// SF11: SNR -17.5 dB, -134.5 dBm
	// SF12: SNR -20.0 dB, -137.0 dBm
}
