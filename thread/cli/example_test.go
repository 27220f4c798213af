package cli_test

import (
	"fmt"
	"log"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/cli"
	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// OpenThread's command line on an engine without a radio. Package pymesh has it on a node: Node.CLI.
func Example() {
	now := time.Unix(0, 0)
	engine, err := thread.New(thread.Config{
		NetworkKey: [16]byte{1, 2, 3}, ExtAddr: ieee802154.ExtAddr{7: 1}, Rand: rand.NewChaCha8([32]byte{}), Timing: thread.TimingIEEE802154(),
	})
	if err != nil {
		log.Fatal(err)
	}
	shell := cli.New(engine)
	for _, line := range []string{"panid 0x1234", "panid", "ifconfig up", "thread start", "state", "state leader", "state"} {
		shell.HandleLine(now, line)
		text, _ := shell.PollOutput()
		fmt.Printf("> %s\n%s", line, strings.ReplaceAll(string(text), "\r", ""))
	}
	// Output:
	// > panid 0x1234
	// Done
	// > panid
	// 1234
	// Done
	// > ifconfig up
	// Done
	// > thread start
	// Done
	// > state
	// detached
	// Done
	// > state leader
	// Done
	// > state
	// leader
	// Done
}
