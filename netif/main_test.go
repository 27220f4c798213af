package netif

import (
	"flag"
	"os"
	"testing"
)

// TestMain has more tests run at a time than there are processors, if no flag says how many: most of the time they wait for the air.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", "8")
	}
	os.Exit(m.Run())
}
