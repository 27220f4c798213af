package periphpins_test

import (
	"log"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/periphpins"
	"github.com/gopymesh/pymesh/lora/sx1276"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/spi/spireg"
	"periph.io/x/host/v3"
)

// A module on lines that periph.io knows by name.
func Example() {
	if _, err := host.Init(); err != nil {
		log.Fatal(err)
	}
	port, err := spireg.Open("") // the first one
	if err != nil {
		log.Fatal(err)
	}
	defer port.Close()
	dio0, err := periphpins.Input(gpioreg.ByName("GPIO22"))
	if err != nil {
		log.Fatal(err)
	}
	defer dio0.Close()
	radio, err := sx1276.New(port, sx1276.Pins{Reset: periphpins.Reset(gpioreg.ByName("GPIO25")), DIO0: dio0}, lora.Config{Region: lora.EU868})
	if err != nil {
		log.Fatal(err)
	}
	defer radio.Close()
}
