package pymesh_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/thread/cli"
)

// command executes a command that is answered at once.
func (m *mesh) command(n *pymesh.Node, line string) string {
	m.Helper()
	text, err := n.CLI(context.Background(), line)
	if err != nil {
		m.Fatalf("%s: %q, %v", line, text, err)
	}
	return text
}

// TestCLI has the answers of the firmware's documentation.
func TestCLI(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a := m.attached()
		b := m.attached()
		if got := m.command(a, "masterkey"); got != "11223300000000000000000000000000\r\n" {
			t.Errorf("masterkey: %q", got)
		}
		want := regexp.MustCompile(`^Partition ID: \d+\r\nWeighting: 64\r\nData Version: \d+\r\nStable Data Version: \d+\r\n` +
			`Leader Router ID: \d+\r\n$`)
		if got := m.command(b, "leaderdata"); !want.MatchString(got) {
			t.Errorf("leaderdata: %q", got)
		}
		if got := m.command(b, "routerselectionjitter 60"); got != "" {
			t.Errorf("a command without output: %q", got)
		}
		if got := m.command(b, "coap start"); got != "Coap service started: " {
			t.Errorf("coap start: %q", got)
		}
		if got := m.command(b, "help"); !strings.HasSuffix(got, "version\r\n") {
			t.Errorf("help: %q", got)
		}

		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		rloc := fmt.Sprintf("fdde:ad00:beef:0:0:ff:fe00:%x", a.RLOC16())
		reply := regexp.MustCompile(`^16 bytes from ` + rloc + `: icmp_seq=\d+ hlim=64 time=\d+ms\r\n$`)
		if got, err := b.CLI(ctx, "ping "+rloc); err != nil || !reply.MatchString(got) {
			t.Errorf("ping: %q, %v", got, err)
		}
		start := time.Now()
		if got, err := b.CLI(ctx, "ping "+rloc+" 8 3 5"); err != nil || strings.Count(got, "\r\n") != 3 {
			t.Errorf("three pings: %q, %v", got, err)
		}
		if d := time.Since(start); d < 10*time.Second || d > 20*time.Second {
			t.Errorf("three pings took %v", d)
		}
	})
}

// TestCLIScans waits for what a scan finds and for the answers of other nodes. A LoRa radio has one channel, and the answer says so.
func TestCLIScans(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		for line, want := range map[string]string{
			"scan": "| 1234 | " + a.MAC().String() + " | 11 |", "discover": "| OpenThread       | dead00beef00cafe | 1234 | " + a.MAC().String(),
			"scan energy 20000": "| 11 |",
			"networkdiagnostic get fdde:ad00:beef::ff:fe00:fc00 0": "DIAG_GET.rsp/ans: 0008" + a.MAC().String() + "\r\n",
			"txpower": " dBm\r\n",
		} {
			text, err := b.CLI(ctx, line)
			if err != nil || !strings.Contains(text, want) {
				t.Errorf("%s: %q, %v", line, text, err)
			}
			if strings.HasPrefix(line, "scan") && !strings.Contains(text, "only channel 11: this radio has no other\r\n") {
				t.Errorf("%s: %q", line, text)
			}
		}
	})
}

func TestCLIErrors(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		ctx := context.Background()
		for line, want := range map[string]cli.Error{
			"panid 1": cli.InvalidState, "diag": cli.NotImplemented, "x": cli.Parse, "ping": cli.InvalidArgs, "": 0,
		} {
			text, err := n.CLI(ctx, line)
			var e cli.Error
			if errors.As(err, &e); e != want || err != nil && text != err.Error()+"\r\n" {
				t.Errorf("%q: %q, %v", line, text, err)
			}
		}
		if text, err := n.CLI(ctx, "reset"); text != "" || err == nil {
			t.Errorf("reset: %q, %v", text, err)
		}

		// Nobody answers.
		short, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if text, err := n.CLI(short, "ping fe80::99 8 100"); text != "" || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ping without an answer: %q, %v", text, err)
		}
		if _, err := n.CLI(short, "state"); !errors.Is(err, context.DeadlineExceeded) && err != nil {
			t.Error(err)
		}
		if got := m.command(n, "help"); got == "" {
			t.Error("no help after that")
		}

		// One command at a time, and none on a closed node.
		pinging := make(chan error)
		go func() {
			_, err := n.CLI(ctx, "ping fe80::99")
			pinging <- err
		}()
		time.Sleep(time.Second)
		brief, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err := n.CLI(brief, "state"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("two commands at a time: %v", err)
		}
		n.Close()
		if err := <-pinging; !errors.Is(err, pymesh.ErrClosed) {
			t.Errorf("Close during a ping: %v", err)
		}
		if _, err := n.CLI(ctx, "state"); !errors.Is(err, pymesh.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// TestCLIOutside asks for the time over a border router whose program answers for the outside, at LoRa's pace; and stops asking when the context
// ends.
func TestCLIOutside(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		br, n := m.borderRouter(pymesh.Normal)
		asked := make(chan struct{}, 10)
		br.OnForward(func(f pymesh.Forwarded) {
			asked <- struct{}{}
			answer := make([]byte, 48) // RFC 4330 §4
			answer[0], answer[1] = 0x24, 1
			copy(answer[24:32], f.Payload[40:])
			answer[40] = 0xf0
			time.Sleep(5 * time.Second)
			if err := br.ForwardUDP(answer, f.Destination, f.Source); err != nil {
				t.Error(err)
			}
		})
		line := "sntp query " + outside.Addr().StringExpanded()
		text, err := n.CLI(context.Background(), line)
		if err != nil || text != "SNTP response - Unix time: 1817543040 (era: 0)\r\n" || len(asked) != 1 {
			t.Errorf("%q, %v; asked %d times", text, err, len(asked))
		}
		br.OnForward(func(pymesh.Forwarded) {})
		if text, err = n.CLI(context.Background(), line); err != nil || text != "SNTP error - ResponseTimeout\r\n" {
			t.Errorf("%q, %v", text, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if text, err = n.CLI(ctx, line); !errors.Is(err, context.DeadlineExceeded) || text != "" {
			t.Errorf("%q, %v", text, err)
		}
	})
}
