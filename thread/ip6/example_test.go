package ip6_test

import (
	"fmt"
	"log"
	"net/netip"

	"github.com/gopymesh/pymesh/thread/ip6"
)

// A datagram to all nodes of the mesh carries an MPL option.
func ExampleInsertMPLOption() {
	header := ip6.Header{
		HopLimit: 64,
		Src:      netip.MustParseAddr("fdde:ad00:beef:0:1234:5678:9abc:def0"),
		Dst:      ip6.RealmLocalAllNodes,
	}
	datagram, err := ip6.AppendUDP(nil, header, 5683, 5683, []byte("hello"))
	if err != nil {
		log.Fatal(err)
	}
	option := ip6.MPLOption{Sequence: 7}
	option.SetSeedID16(0x5800)
	if datagram, err = ip6.InsertMPLOption(nil, datagram, option); err != nil {
		log.Fatal(err)
	}

	d, err := ip6.ParseDatagram(datagram)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%v to %v, seed %#x, sequence %d\n", d.Protocol, d.Dst, d.MPL.SeedID16(), d.MPL.Sequence)
	fmt.Println("checksum:", ip6.VerifyUDP(d.Src, d.Dst, d.Payload))
	// Output:
	// UDP to ff03::1, seed 0x5800, sequence 7
	// checksum: <nil>
}
