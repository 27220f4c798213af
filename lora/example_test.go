package lora_test

import (
	"context"
	"fmt"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
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

func ExampleConfig_Warnings() {
	c := lora.Config{Region: lora.EU868, Frequency: 863 * lora.MHz} // as in Pycom's examples
	for _, w := range c.Warnings() {
		fmt.Println(w)
	}
	// Output:
	// Frequency 863 MHz: the signal reaches from 862.9375 MHz to 863.0625 MHz, over the edge of what EU868 allows; carriers from 863.0625 MHz to 864.9375 MHz stay inside sub-band K (EN 300 220-2 and ERC Recommendation 70-03, annex 1)
	// Frequency 863 MHz: sub-band K has a duty cycle of 0.1 %, which is 3.6s an hour or 17 packets of 127 bytes at SF7: a mesh needs 100
}

func ExampleRegion_SubBands() {
	for _, b := range lora.EU868.SubBands() {
		fmt.Printf("%s: %v to %v, %v dBm, %v %%\n", b.Name, b.Lowest, b.Highest, b.ERP, 100*b.DutyCycle)
	}
	// Output:
	// K: 863 MHz to 865 MHz, 14 dBm, 0.1 %
	// L: 865 MHz to 868 MHz, 14 dBm, 1 %
	// M: 868 MHz to 868.6 MHz, 14 dBm, 1 %
	// N: 868.7 MHz to 869.2 MHz, 14 dBm, 0.1 %
	// P: 869.4 MHz to 869.65 MHz, 27 dBm, 10 %
	// 869.7 MHz, 5 mW: 869.7 MHz to 870 MHz, 7 dBm, 0 %
	// 869.7 MHz, 25 mW: 869.7 MHz to 870 MHz, 14 dBm, 1 %
}

func ExampleGovern() {
	air := lorasim.NewAir(lorasim.Options{Speed: 1000})
	radio := lora.Govern(air.Radio(lora.Config{Frequency: 864 * lora.MHz}, lorasim.Position{}),
		lora.WithAirtimeStore(new(lora.MemoryAirtimeStore))) // a file, where the radio is real
	defer radio.Close()
	packet := []byte("twenty bytes of data")
	for n := 1; ; n++ {
		if err := radio.Send(context.Background(), packet); err != nil {
			fmt.Printf("packet %d: %v\n", n, err)
			break
		}
	}
	for _, u := range radio.Usage() {
		fmt.Println(u)
	}
	// Output:
	// packet 61: lora: duty cycle used up
	// K: 3.395s of 3.6s used
}
