package meshcop_test

import (
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/meshcop"
)

// An Active Operational Dataset on its way: what the nodes of a network must agree on. Keys do not print.
func Example() {
	n := meshcop.Network{
		Key: [16]byte{1, 2, 3}, PANID: 0x1234, Name: "meadow", ExtPANID: [8]byte{1, 2, 3, 4, 5, 6, 7, 8},
		MeshLocalPrefix: netip.MustParsePrefix("fd12:3456:789a::/64"), Channel: 17,
	}
	d := n.Dataset(meshcop.UsualPolicy(28 * 24 * time.Hour))
	d.Present |= meshcop.HasActiveTimestamp
	d.ActiveTimestamp = meshcop.Timestamp{Seconds: 1}
	b, err := d.AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}
	received, err := meshcop.ParseDataset(b)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(received.NetworkName, received.PANID, received.MeshLocalPrefix, received.NetworkMasterKey)
	// Output: meadow 0x1234 fd12:3456:789a::/64 (key)
}

// Steering data say who may join, in a Bloom filter: a joiner knows itself, and nobody else is told.
func ExampleSteeringData() {
	joiner := meshcop.JoinerID([8]byte{0x70, 0xb3, 0xd5, 0x49, 0x90, 0, 0, 1})
	other := meshcop.JoinerID([8]byte{0x70, 0xb3, 0xd5, 0x49, 0x90, 0, 0, 2})
	steering := make(meshcop.SteeringData, meshcop.MaxSteeringData)
	steering.Add(joiner)
	fmt.Println(steering.Contains(joiner), steering.Contains(other), meshcop.AnySteeringData().Contains(other))
	// Output: true false true
}
