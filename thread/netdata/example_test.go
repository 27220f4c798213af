package netdata_test

import (
	"fmt"
	"log"
	"net/netip"

	"github.com/gopymesh/pymesh/thread/netdata"
)

// A prefix with its border router and its context, as network data carry it.
func Example() {
	router := netdata.BorderRouter{RLOC16: 0x5800, Preference: netdata.PreferenceHigh,
		Flags: netdata.FlagPreferred | netdata.FlagSLAAC | netdata.FlagDefaultRoute | netdata.FlagOnMesh}
	entry, err := router.AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}
	context, err := netdata.ContextTLV{ID: 1, Compress: true, Length: 64}.AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}
	var inner []byte
	for _, t := range []netdata.TLV{{Type: netdata.TypeBorderRouter, Stable: true, Value: entry}, {Type: netdata.TypeContext, Stable: true, Value: context}} {
		if inner, err = t.AppendBinary(inner); err != nil {
			log.Fatal(err)
		}
	}
	value, err := netdata.Prefix{Prefix: netip.MustParsePrefix("2001:db8:1:2::/64"), SubTLVs: inner}.AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}
	data, err := netdata.TLV{Type: netdata.TypePrefix, Stable: true, Value: value}.AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}

	fmt.Println(netdata.Validate(data), len(data), "bytes")
	for t := range netdata.All(data) {
		p, err := netdata.ParsePrefix(t.Value)
		fmt.Println(t.Type, p.Prefix, err)
	}
	for c := range netdata.Contexts(data) {
		fmt.Println("context", c.ID, c.Prefix)
	}
	// Output:
	// <nil> 22 bytes
	// Prefix 2001:db8:1:2::/64 <nil>
	// context 1 2001:db8:1:2::/64
}
