package keys_test

import (
	"fmt"

	"github.com/gopymesh/pymesh/thread/keys"
)

// The keys that a network derives from its own, and the guard against frames that were sent before.
func Example() {
	network := [keys.Size]byte{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	pair := keys.Derive(network, 0)
	fmt.Println(pair.MAC != pair.MLE, keys.Sequence(0).Index())

	var neighbor keys.Replay
	neighbor.Accept(0, 100)
	for _, counter := range []uint32{101, 100, 99} {
		fmt.Println(counter, neighbor.Check(0, counter))
	}
	// Output:
	// true 1
	// 101 <nil>
	// 100 keys: frame is a duplicate of the last one
	// 99 keys: frame counter was used before
}
