package netif_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/netif"
)

// The host's own programs on the mesh: ping, coap-client and all others. It needs CAP_NET_ADMIN.
func ExampleUp() {
	var node *pymesh.Node       // see pymesh.New
	ctx := context.Background() // for as long as it takes to come up
	host, err := netif.Up(ctx, node, netif.Options{})
	if err != nil {
		log.Fatal(err) // says what is missing
	}
	defer host.Close()
}

// What the owner of a border router lets in from outside, beside answers.
func ExampleParseRule() {
	for _, text := range []string{"from 2001:db8:1::/48 udp port 5683", "icmp", "udp port 70000"} {
		rule, err := netif.ParseRule(text)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(rule)
	}
	// Output:
	// from 2001:db8:1::/48 udp port 5683
	// icmp
	// netif: rule "udp port 70000": port "70000" is not 1 to 65535
}
