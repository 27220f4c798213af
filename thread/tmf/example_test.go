package tmf_test

import (
	"fmt"
	"log"
	"net/netip"

	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// Where is an address? The question goes to all routers (a/aq), and one answers with a notification (a/an): the payload of its CoAP message.
func Example() {
	b := tmf.AppendTargetEID(nil, netip.MustParseAddr("fdde:ad00:beef::1234"))
	b = tmf.AppendRLOC16(b, 0x5800)
	b = tmf.AppendMLEID(b, [8]byte{7: 1})

	payload, err := tmf.ParsePayload(b)
	if err != nil {
		log.Fatal(err)
	}
	r := payload.Read()
	eid, rloc := r.TargetEID(), r.RLOC16()
	fmt.Println(tmf.URIAddressNotify, eid, rloc, r.Err())
	// Output: a/an fdde:ad00:beef::1234 0x5800 <nil>
}

// What a node tells of itself when it is asked for diagnostics (d/dg).
func ExampleDiagnostics() {
	b := tmf.AppendDiagnosticMLE(nil, tmf.DiagnosticAddress16, mle.AppendAddress16, mle.RLOC16(0x5800))
	b = tmf.AppendIPv6Addresses(b, []netip.Addr{netip.MustParseAddr("fdde:ad00:beef::1234")})
	d, err := tmf.ParseDiagnostics(b)
	if err != nil {
		log.Fatal(err)
	}
	for t := range d.All() {
		fmt.Println(t)
	}
	addresses, err := d.IPv6Addresses()
	fmt.Println(addresses, err)
	// Output:
	// Address16
	// IPv6 Address List
	// [fdde:ad00:beef::1234] <nil>
}
