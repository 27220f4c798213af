package tlv_test

import (
	"testing"

	"github.com/gopymesh/pymesh/thread/tlv"
)

func TestTable(t *testing.T) {
	table := tlv.Table[uint8]{
		0: tlv.Fixed("Channel", 3),
		2: tlv.Between("Challenge", 4, 8),
		3: tlv.AnyLength("Get"),
	}
	for _, tt := range []struct {
		typ     uint8
		name    string
		known   bool
		valid   []int // lengths
		invalid []int
	}{
		{0, "Channel", true, []int{3}, []int{0, 2, 4}},
		{1, "TLV 1", false, []int{0, 1, tlv.MaxLength}, nil}, // a gap
		{2, "Challenge", true, []int{4, 5, 8}, []int{0, 3, 9}},
		{3, "Get", true, []int{0, 1, tlv.MaxLength}, nil},
		{4, "TLV 4", false, []int{0, 1, tlv.MaxLength}, nil}, // the first beyond
		{255, "TLV 255", false, []int{0, 1, tlv.MaxLength}, nil},
	} {
		if got := table.Name(tt.typ); got != tt.name || table.Known(tt.typ) != tt.known {
			t.Errorf("type %d: %q, known %v", tt.typ, got, table.Known(tt.typ))
		}
		for _, n := range tt.valid {
			if !table.ValidLength(tt.typ, n) {
				t.Errorf("%s refuses %d bytes", tt.name, n)
			}
		}
		for _, n := range tt.invalid {
			if table.ValidLength(tt.typ, n) {
				t.Errorf("%s allows %d bytes", tt.name, n)
			}
		}
	}
}

func TestEmptyTable(t *testing.T) {
	var table tlv.Table[uint8]
	if table.Known(0) || !table.ValidLength(0, 7) || table.Name(0) != "TLV 0" {
		t.Error("an empty table knows a type")
	}
}
