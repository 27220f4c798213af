package dhcp6_test

import (
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/dhcp6"
)

// The answer of a DHCPv6 agent, as it is on the air and read again.
func Example() {
	reply := dhcp6.Message{
		Type: dhcp6.Reply, TransactionID: dhcp6.TransactionID{0xaa, 0xbb, 0xcc},
		HasIANA: true, IAID: 1, RapidCommit: true,
		Addresses: []dhcp6.Address{{Addr: netip.MustParseAddr("2001:db8::1"), Preferred: time.Hour, Valid: 2 * time.Hour}},
	}
	b, err := reply.AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}
	m, err := dhcp6.ParseMessage(b)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Type, m.RapidCommit, m.Addresses[0].Addr, m.Addresses[0].Valid)
	// Output: Reply true 2001:db8::1 2h0m0s
}
