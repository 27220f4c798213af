package lowpan_test

import (
	"bytes"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
)

// A datagram of 248 bytes goes from one node to another in frames with room for 104 bytes.
func Example() {
	var contexts lowpan.Contexts
	meshLocal := netip.MustParsePrefix("fdde:ad00:beef::/64")
	if err := contexts.Set(lowpan.MeshLocalContext, lowpan.Context{Prefix: meshLocal, Compress: true}); err != nil {
		log.Fatal(err)
	}
	src, dst := ieee802154.ShortAddress(0x0c00), ieee802154.ShortAddress(0x5800)
	header := ip6.Header{
		HopLimit: 64,
		Src:      ip6.WithInterfaceID(meshLocal, lowpan.ShortInterfaceID(src.Short)),
		Dst:      ip6.WithInterfaceID(meshLocal, lowpan.ShortInterfaceID(dst.Short)),
	}
	datagram, err := ip6.AppendUDP(nil, header, 5683, 5683, bytes.Repeat([]byte("mesh"), 50))
	if err != nil {
		log.Fatal(err)
	}

	packet := lowpan.Packet{Datagram: datagram, Tag: 1, Src: src, Dst: dst}
	reassembler := lowpan.NewReassembler(lowpan.Limits{Datagrams: 4, Timeout: 5 * time.Second})
	now := time.Unix(0, 0)
	for next := 0; next < len(datagram); {
		var frame []byte
		if frame, next, err = packet.AppendFrame(nil, next, 104, &contexts); err != nil {
			log.Fatal(err)
		}
		fmt.Println(lowpan.DispatchOf(frame), len(frame))

		origin := lowpan.Origin{Src: src, Dst: dst, Security: 5}
		received, err := reassembler.HandleFragment(now, origin, frame, &contexts)
		if err != nil {
			log.Fatal(err)
		}
		if received != nil {
			fmt.Println("complete:", bytes.Equal(received, datagram))
		}
	}
	// Output:
	// FRAG1 101
	// FRAGN 101
	// FRAGN 21
	// complete: true
}
