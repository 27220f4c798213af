package mle_test

import (
	"fmt"
	"log"
	"net/netip"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// An Advertisement, secured as it goes out, and opened by who hears it.
func Example() {
	sender := ieee802154.ExtAddr{7: 1}
	from, to := netip.MustParseAddr("fe80::200:0:0:1"), netip.MustParseAddr("ff02::1")
	ccm := ieee802154.NewCCM(keys.Derive([keys.Size]byte{1, 2, 3}, 0).MLE)

	plaintext := mle.AppendCommand(nil, mle.Advertisement)
	plaintext = mle.AppendSourceAddress(plaintext, 0x5800)
	plaintext = mle.AppendLeaderData(plaintext, mle.LeaderData{PartitionID: 828258, Weighting: 64, LeaderRouterID: 22})
	payload := mle.AppendSealed(nil, from, to, sender, 0, 1, ccm, plaintext)

	header, err := mle.ParseHeader(payload)
	if err != nil {
		log.Fatal(err)
	}
	opened, err := header.Open(nil, payload, from, to, sender, ccm)
	if err != nil {
		log.Fatal(err)
	}
	m, err := mle.ParseMessage(opened)
	if err != nil {
		log.Fatal(err)
	}
	rloc, _ := m.SourceAddress()
	leader, err := m.LeaderData()
	fmt.Println(m.Command, rloc, leader.PartitionID, leader.LeaderRouterID.RLOC16(), err)
	// Output: Advertisement 0x5800 828258 0x5800 <nil>
}

// An RLOC16 says where a node is in the mesh: router ID and child ID.
func ExampleRLOC16() {
	child := mle.ChildRLOC16(22, 3)
	fmt.Println(child, child.IsChild(), child.RouterID().RLOC16(), child.Addr(netip.MustParsePrefix("fdde:ad00:beef::/64")))
	// Output: 0x5803 true 0x5800 fdde:ad00:beef::ff:fe00:5803
}
