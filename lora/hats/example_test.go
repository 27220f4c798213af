package hats_test

import (
	"fmt"
	"log"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/hats"
)

// Open any hat by name.
func ExampleHat_Open() {
	hat, err := hats.Parse("rak6421-slot1")
	if err != nil {
		log.Fatal(err)
	}
	radio, err := hat.Open(lora.Config{Region: lora.EU868})
	if err != nil {
		log.Fatal(err)
	}
	defer radio.Close()
	fmt.Println(radio.Chip())
}

// Find out which hat is there.
func ExampleProbe() {
	for _, f := range hats.Probe(hats.Ports) {
		fmt.Println(f.Where, f.What, f.Boards)
	}
}
