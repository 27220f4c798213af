package tlv_test

import (
	"fmt"

	"github.com/gopymesh/pymesh/thread/tlv"
)

// A protocol says what its types are, and has the elements one by one.
func Example() {
	type Type uint8
	const (
		name  Type = 0
		color Type = 1
	)
	table := tlv.Table[Type]{name: tlv.Between("Name", 1, 16), color: tlv.Fixed("Color", 3)}

	b := tlv.Append(nil, name, []byte("lamp"))
	b = tlv.Append(b, color, []byte{0xff, 0xff, 0})
	b = tlv.Append(b, Type(99), []byte("from a later version"))
	fmt.Println(tlv.Validate(b))
	for t, value := range tlv.All[Type](b) {
		if !table.Known(t) {
			continue
		}
		fmt.Println(table.Name(t), len(value), table.ValidLength(t, len(value)))
	}
	// Output:
	// <nil>
	// Name 4 true
	// Color 3 true
}
