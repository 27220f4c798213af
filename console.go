package pymesh

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/thread/cli"
)

// CLI executes a command of OpenThread's command line, see package [github.com/gopymesh/pymesh/thread/cli], and returns what it
// prints: lines that end in "\r\n", without the final Done. Where it answers with an error, err is that [cli.Error]. A ping
// is waited for: until its answers are there or ctx ends, which then is the error, beside the answers so far. One command is
// executed at a time; what is printed between commands, such as datagrams that a udp command asked for, is lost.
func (n *Node) CLI(ctx context.Context, command string) (text string, err error) {
	select {
	case n.shellTurn <- struct{}{}:
		defer func() { <-n.shellTurn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	var out []byte
	var waiting bool
	fetch := func(time.Time) {
		b, _ := n.shell.PollOutput()
		out = append(out, b...)
		waiting = n.shell.Waiting()
	}
	running := n.run.Do(func(now time.Time) {
		n.shell.PollOutput()
		n.shellActive = true
		n.shell.HandleLine(now, command)
		err = n.shell.Err()
		if r, ok := n.shell.PollRequest(); ok {
			err = fmt.Errorf("pymesh: CLI: a Node cannot %v by itself: use Close and New", r)
		}
		fetch(now)
	})
	for running && waiting && err == nil {
		select {
		case <-n.shellPrinted:
		case <-ctx.Done():
			err = ctx.Err()
		case <-n.run.Done():
		}
		running = n.run.Do(fetch)
	}
	running = running && n.run.Do(func(now time.Time) {
		if n.shell.Waiting() {
			n.shell.HandleLine(now, "ping stop")
		}
		n.shellActive = false
	})
	if !running {
		err = ErrClosed
	}
	text, _ = strings.CutSuffix(string(out), "Done\r\n")
	return text, err
}

// shellOutput tells CLI that there is more to fetch, or drops it if nobody waits for it.
func (n *Node) shellOutput() {
	if !n.shellActive {
		n.shell.PollOutput()
		return
	}
	select {
	case n.shellPrinted <- struct{}{}:
	default:
	}
}

// fixedPower is the transmission power of a radio, which is set when it is opened.
type fixedPower int

func (p fixedPower) TxPower() int { return int(p) }

func (p fixedPower) SetTxPower(int) error { return cli.NotImplemented }
