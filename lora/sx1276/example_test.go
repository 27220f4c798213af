package sx1276_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// Open a hat by name and answer what is heard.
func ExampleOpen() {
	radio, err := sx1276.Open(sx1276.DraginoHAT, lora.Config{Region: lora.EU868, SpreadingFactor: lora.SF7})
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

// A module that is wired to lines of one's own choice.
func ExampleOpen_ownWiring() {
	board := sx1276.RFM95
	board.ChipSelect = 1 // CE1
	board.Reset = "GPIO5"
	board.DIO0 = "GPIO6"
	radio, err := sx1276.Open(board, lora.Config{Region: lora.EU868})
	if err != nil {
		log.Fatal(err)
	}
	defer radio.Close()
}

// Say what is wrong with a hat.
func ExampleDiagnose() {
	for _, check := range sx1276.Diagnose(sx1276.AdafruitBonnet, lora.Config{}) {
		fmt.Printf("%-10s %v\n", check.Name, check)
		if check.Err != nil {
			fmt.Println("→", check.Remedy())
		}
	}
}
