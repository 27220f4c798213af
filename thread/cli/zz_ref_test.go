package cli_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim"
)

func TestZZ(t *testing.T) {
	path := os.Getenv("ZZ_SCRIPT")
	if path == "" {
		t.Skip()
	}
	b, _ := os.ReadFile(path)
	c := otsim.NewController(t)
	nodes := map[int]*otsim.Process{}
	for _, l := range strings.Split(string(b), "\n") {
		if l == "" {
			continue
		}
		var d int
		if n, _ := fmt.Sscanf(l, "go %d", &d); n == 1 {
			c.Run(time.Duration(d) * time.Second)
			for i, p := range nodes {
				for _, x := range p.Lines() {
					fmt.Printf("   [%d async] %s\n", i, x)
				}
			}
			continue
		}
		var id int
		fmt.Sscanf(l, "%d:", &id)
		cmd := strings.TrimSpace(l[strings.Index(l, ":")+1:])
		p := nodes[id]
		if p == nil {
			p = c.AddProcess(c.Program(), id)
			nodes[id] = p
		}
		p.Send("%s", cmd)
		fmt.Printf("%d> %s\n", id, cmd)
		for _, x := range p.Lines() {
			fmt.Printf("    %q\n", x)
		}
	}
}
