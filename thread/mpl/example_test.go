package mpl_test

import (
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/thread/mpl"
)

// Each datagram to a group is taken once, however many neighbors repeat it.
func Example() {
	now := time.Unix(0, 0)
	seeds := mpl.NewSeedSet(15, 5*time.Minute)
	const seed mpl.SeedID = 0x5800
	for _, sequence := range []uint8{41, 42, 42, 41, 43} {
		fmt.Println(sequence, seeds.Accept(now, seed, sequence))
	}
	// Output:
	// 41 true
	// 42 true
	// 42 false
	// 41 false
	// 43 true
}
