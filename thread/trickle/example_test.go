package trickle_test

import (
	"fmt"
	"log"
	"math/rand/v2"
	"time"

	"github.com/gopymesh/pymesh/thread/trickle"
)

// The timer in virtual time: after a reset it fires ever more rarely.
func ExampleTimer() {
	now := time.Unix(0, 0)
	timer := trickle.NewTimer(rand.New(rand.NewPCG(1, 2)))
	if err := timer.Start(now, trickle.Config{Imin: time.Second, Imax: 4 * time.Second}); err != nil {
		log.Fatal(err)
	}
	timer.Reset(now)
	for fired := 0; fired < 4; {
		now, _ = timer.NextTimeout()
		if timer.HandleTimeout(now) {
			fired++
			fmt.Println("fires in an interval of", timer.Interval())
		}
	}
	// Output:
	// fires in an interval of 1s
	// fires in an interval of 2s
	// fires in an interval of 4s
	// fires in an interval of 4s
}
