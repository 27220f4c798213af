package sx126x_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/sx126x"
)

// Open a hat by name and answer what is heard.
func ExampleOpen() {
	radio, err := sx126x.Open(sx126x.RAK6421Slot1, lora.Config{Region: lora.EU868})
	if err != nil {
		log.Fatal(err) // says what to do
	}
	defer radio.Close()
	buf := make([]byte, lora.MaxPacket)
	for {
		p, err := radio.Receive(context.Background(), buf)
		if errors.Is(err, lora.ErrClosed) {
			return
		}
		if err != nil {
			log.Print(err) // the driver is at it
			continue
		}
		fmt.Printf("%x at %d dBm\n", buf[:p.N], p.RSSI)
		if err := radio.Send(context.Background(), buf[:p.N]); err != nil {
			log.Print(err)
		}
	}
}

// A module that is wired to lines of one's own choice, with an amplifier of 8 dB behind the chip.
func ExampleOpen_ownWiring() {
	board := sx126x.Board{
		Name: "my module", Chip: sx126x.SX1262, ChipSelect: 1,
		Reset: "GPIO5", Busy: "GPIO6", DIO1: "GPIO13", RXEN: "GPIO19", TXEN: "GPIO26",
		TCXO: 1800, Gain: 8, MaxChipPower: 22,
	}
	radio, err := sx126x.Open(board, lora.Config{Region: lora.EU868})
	if err != nil {
		log.Fatal(err)
	}
	defer radio.Close()
}

// Say what is wrong with a hat.
func ExampleDiagnose() {
	for _, check := range sx126x.Diagnose(sx126x.MeshAdvMini, lora.Config{}) {
		fmt.Printf("%-10s %v\n", check.Name, check)
		if check.Err != nil {
			fmt.Println("→", check.Remedy())
		}
	}
}
