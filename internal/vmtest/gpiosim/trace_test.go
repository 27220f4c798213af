//go:build linux

package gpiosim

import (
	"fmt"
	"strings"
	"testing"
)

const traceText = `          vmtest-71      [000] .....     2.110035: gpio_value: 489 set 0
          vmtest-71      [000] .....     2.110036: gpio_direction: 489 out (0)
          vmtest-71      [000] .....     2.110050: gpio_value: 489 set 1
          vmtest-71      [000] .....     2.110051: gpio_direction: 489  in (-22)
          vmtest-71      [000] .....     2.110061: gpio_value: 481 set 1
          vmtest-71      [000] .....     2.110071: gpio_value: 465 get 1
          vmtest-71      [000] .....     2.110072: gpio_value: 600 set 1
CPU:0 [LOST 7 EVENTS]
          vmtest-71      [000] .....     2.110095: gpio_direction: 489  in (0)
`

// TestParse gives the text of a trace in pieces of all sizes.
func TestParse(t *testing.T) {
	const want = "25:SetLow 25:ToOutput 25:SetHigh 17:SetHigh 25:ToInput"
	names := map[Change]string{SetLow: "SetLow", SetHigh: "SetHigh", ToInput: "ToInput", ToOutput: "ToOutput"}
	for size := 1; size <= len(traceText); size++ {
		var got []string
		trace := &Trace{chip: &Chip{base: 464, lines: 28}, handle: func(offset int, c Change) {
			got = append(got, fmt.Sprintf("%d:%s", offset, names[c]))
		}}
		for text := []byte(traceText); len(text) > 0; {
			n := min(size, len(text))
			trace.parse(text[:n])
			text = text[n:]
		}
		if s := strings.Join(got, " "); s != want {
			t.Fatalf("in pieces of %d: %s, want %s", size, s, want)
		}
	}
}
