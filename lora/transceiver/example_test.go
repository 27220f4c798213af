package transceiver_test

import (
	"errors"
	"fmt"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/transceiver"
)

// How the drivers listen before they talk, and how a node must in Europe that would rather listen well than keep a duty cycle.
func ExampleListen() {
	c := lora.Config{}
	for _, l := range []transceiver.Listen{transceiver.PycomListen(c), transceiver.PoliteListen(c)} {
		fmt.Println(l.Threshold, "dBm,", l.Time, "free, gap", l.Gap)
	}
	// Output:
	// -85 dBm, 1ms free, gap 5ms
	// -84 dBm, 1ms free, gap 100ms
}

// Errors of the drivers say what to do.
func ExampleProblem() {
	err := fmt.Errorf("DIO0: %w", &transceiver.Problem{Err: errors.New("line GPIO4 is in use"), Remedy: "end the program that has it"})
	var p *transceiver.Problem
	if errors.As(err, &p) {
		fmt.Println(p.Remedy)
	}
	// Output: end the program that has it
}
