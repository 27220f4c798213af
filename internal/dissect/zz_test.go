package dissect_test

import (
	"fmt"
	"github.com/gopymesh/pymesh/internal/captures"
	"github.com/gopymesh/pymesh/internal/dissect"
	"os"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	for _, name := range captures.Names() {
		out, _ := os.Create("/tmp/try/" + name + ".txt")
		recs, _ := captures.Frames(name)
		d := dissect.New(captures.NetworkKey)
		prob := map[string]int{}
		for _, r := range recs {
			f := d.Dissect(time.Unix(0, 0).Add(r.Time), r.PSDU)
			if f.Problem != nil {
				prob[f.Problem.Error()]++
			}
			fmt.Fprintf(out, "%9.3f  %-16v  %-16v  %-27s  %v\n", r.Time.Seconds(), f.MAC.From, f.MAC.To, f.Protocol(), f.Summary())
			for _, l := range f.Details() {
				fmt.Fprintf(out, "    %s\n", l)
			}
		}
		out.Close()
		fmt.Println(name, len(recs), prob, d.Incomplete())
	}
}
