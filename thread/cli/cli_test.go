package cli_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/cli"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/console"
	"github.com/gopymesh/pymesh/thread/internal/mac"
	"github.com/gopymesh/pymesh/thread/ip6"
)

var epoch = time.Date(2018, time.December, 14, 0, 0, 0, 0, time.UTC)

// say executes lines on a device without a radio and returns the output of the last.
func say(d *device, lines ...string) string {
	var text []byte
	for _, line := range lines {
		d.shell.PollOutput()
		d.shell.HandleLine(epoch, line)
		text, _ = d.shell.PollOutput()
	}
	return string(text)
}

// leading returns a device that leads a partition.
func leading(t testing.TB) *device {
	d := newDevice(t, 1)
	if got := say(d, "panid 0x1234", "ifconfig up", "thread start", "state leader"); got != "Done\r\n" {
		t.Fatal(got)
	}
	return d
}

// TestEveryCommandHasTranscript looks for each word of help in testdata.
func TestEveryCommandHasTranscript(t *testing.T) {
	paths, _ := filepath.Glob("testdata/*.txt")
	seen := map[string]bool{}
	for _, path := range paths {
		for _, s := range parseTranscript(t, path) {
			if _, command, ok := cutCommand(s.line); ok {
				if words := strings.Fields(command); len(words) > 0 {
					seen[words[0]] = true
				}
			}
		}
	}
	words := strings.Fields(say(newDevice(t, 1), "help"))
	if len(words) < 60 {
		t.Errorf("%d commands", len(words))
	}
	for _, w := range append(words, "?", "counters") {
		if !seen[w] {
			t.Errorf("no transcript of %s", w)
		}
	}
}

func TestLineEnds(t *testing.T) {
	d := newDevice(t, 1)
	for _, line := range []string{"", "\n", "\r\n"} {
		if got := say(d, line); got != "" {
			t.Errorf("%q: %q", line, got)
		}
	}
	for _, line := range []string{"state", "state\n", "state\r\n", "\tstate  "} {
		if got := say(d, line); got != "disabled\r\nDone\r\n" {
			t.Errorf("%q: %q", line, got)
		}
	}
	if got := say(d, "  "); got != "Error: no given command.\r\n" {
		t.Errorf("blanks: %q", got)
	}
	for _, n := range []int{cli.MaxLine, cli.MaxLine + 1} {
		line := "state" + strings.Repeat(" ", n-len("state"))
		want := "disabled\r\nDone\r\n"
		if n > cli.MaxLine {
			want = "Error 6: Parse\r\n"
		}
		if got := say(d, line); got != want {
			t.Errorf("%d bytes: %q", n, got)
		}
	}
}

func TestErr(t *testing.T) {
	d := newDevice(t, 1)
	for line, want := range map[string]error{
		"state": nil, "state x": cli.InvalidArgs, "x": cli.Parse, "diag": cli.NotImplemented, "help": nil, "  ": cli.InvalidArgs,
		"state leader": cli.InvalidState,
	} {
		if say(d, line); !errors.Is(d.shell.Err(), want) {
			t.Errorf("%q: %v, want %v", line, d.shell.Err(), want)
		}
	}
	if got := cli.Error(99).Error(); got != "Error 99: UnknownErrorType" {
		t.Error(got)
	}
}

func TestRequests(t *testing.T) {
	d := newDevice(t, 1)
	for _, line := range []string{"exit", "reset", "factoryreset"} {
		if got := say(d, line); got != "" {
			t.Errorf("%s: %q", line, got)
		}
	}
	for _, want := range []cli.Request{cli.RequestExit, cli.RequestReset, cli.RequestFactoryReset} {
		if got, ok := d.shell.PollRequest(); !ok || got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	if r, ok := d.shell.PollRequest(); ok {
		t.Errorf("one too many: %v", r)
	}
}

func TestNames(t *testing.T) {
	d := newDevice(t, 1)
	d.shell.Version = "PYMESH/1; X"
	d.shell.EUI64 = ieee802154.ExtAddr{1, 2, 3, 4, 5, 6, 7, 8}
	if got := say(d, "version"); got != "PYMESH/1; X\r\nDone\r\n" {
		t.Error(got)
	}
	if got := say(d, "eui64"); got != "0102030405060708\r\nDone\r\n" {
		t.Error(got)
	}
}

// TestPrefixFollowsExtPANID is how extpanid gives a network addresses of its own.
func TestPrefixFollowsExtPANID(t *testing.T) {
	d := newDevice(t, 1)
	if got := say(d, "panid 1", "extpanid 0102030405060708", "ifconfig up", "thread start", "ipaddr"); !strings.HasPrefix(got, "fd01:203:405:0:") {
		t.Error(got)
	}
	if got := d.Network().MeshLocalPrefix; got != netip.MustParsePrefix("fd01:203:405::/64") {
		t.Error(got)
	}
}

// TestPingSeries sends several pings to this node itself.
func TestPingSeries(t *testing.T) {
	d := leading(t)
	eid := d.MeshLocalEID().String()
	now := epoch
	fetch := func() (lines []string) {
		for {
			packet, ok := d.PollPacket()
			if !ok {
				break
			}
			if !d.shell.HandlePacket(now, &packet) {
				t.Error("not for the command line")
			}
		}
		text, _ := d.shell.PollOutput()
		return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\r' || r == '\n' })
	}
	say(d, "ping "+eid+" 100 3 2")
	for seq := 1; seq <= 3; seq++ {
		if !d.shell.Waiting() {
			t.Error("not waiting")
		}
		lines := fetch()
		if len(lines) != 1 || !strings.HasPrefix(lines[0], "108 bytes from ") ||
			!strings.HasSuffix(lines[0], fmt.Sprintf(": icmp_seq=%d hlim=64 time=0ms", seq)) {
			t.Errorf("ping %d: %q", seq, lines)
		}
		next, ok := d.shell.NextTimeout()
		if ok != (seq < 3) {
			t.Fatalf("ping %d: timer %v", seq, ok)
		}
		if ok && next.Sub(now) != 2*time.Second {
			t.Errorf("ping %d: next after %v", seq, next.Sub(now))
		}
		if ok {
			now = next
			d.shell.HandleTimeout(now)
		}
	}
	if d.shell.Waiting() {
		t.Error("still waiting")
	}
	for size, ok := range map[int]bool{0: true, 1: true, 1232: true, 1233: false} {
		say(d, fmt.Sprintf("ping %s %d", eid, size))
		if lines := fetch(); (len(lines) == 1) != ok {
			t.Errorf("size %d: %q", size, lines)
		}
	}
}

// TestPingCount: a count that would be cut to another number of requests is refused.
func TestPingCount(t *testing.T) {
	d := leading(t)
	for _, count := range []string{"0", "-1", "65536", "131072"} {
		if out := say(d, "ping "+d.MeshLocalEID().String()+" 8 "+count); !strings.Contains(out, "Error 7: InvalidArgs") || d.shell.Waiting() {
			t.Errorf("count %s: %q", count, out)
		}
	}
}

// TestAddressesRefused: what is no unicast address of a node's own is none that it can have.
func TestAddressesRefused(t *testing.T) {
	d := leading(t)
	for _, a := range []string{"::", "::1", "::ffff:102:304", "::ffff:1.2.3.4", "fd11::1%eth0", "ff03::1"} {
		if out := say(d, "ipaddr add "+a); !strings.Contains(out, "Error") {
			t.Errorf("%s: %q", a, out)
		}
	}
}

func parsed(t *testing.T, datagram []byte) *ip6.Datagram {
	t.Helper()
	d, err := ip6.ParseDatagram(datagram)
	if err != nil {
		t.Fatal(err)
	}
	return &d
}

// TestForeignPackets leaves alone what is not for the command line.
func TestForeignPackets(t *testing.T) {
	d := leading(t)
	h := ip6.Header{HopLimit: 64, Src: netip.MustParseAddr("fe80::1"), Dst: netip.MustParseAddr("fe80::2")}
	udp, _ := ip6.AppendUDP(nil, h, 1, 2, []byte("x"))
	coap, _ := ip6.AppendUDP(nil, h, 5683, 5683, []byte{0x40, 1, 0, 0})
	echo, _ := ip6.AppendEcho(nil, h, ip6.ICMPv6EchoReply, ip6.Echo{Identifier: 2})
	for _, b := range [][]byte{udp, coap, echo} {
		if d.shell.HandlePacket(epoch, parsed(t, b)) {
			t.Errorf("taken: %x", b)
		}
	}
	if text, ok := d.shell.PollOutput(); ok {
		t.Errorf("%q", text)
	}
	say(d, "coap start")
	if !d.shell.HandlePacket(epoch, parsed(t, coap)) {
		t.Error("a CoAP message is not taken")
	}
}

// TestUDPText ends at a byte of zero, as a C string does.
func TestUDPText(t *testing.T) {
	d := leading(t)
	say(d, "udp open", "udp bind :: 7")
	h := ip6.Header{HopLimit: 64, Src: netip.MustParseAddr("fe80::1"), Dst: netip.MustParseAddr("fe80::2")}
	b, _ := ip6.AppendUDP(nil, h, 9, 7, []byte("ab\x00cd"))
	d.shell.HandlePacket(epoch, parsed(t, b))
	if text, _ := d.shell.PollOutput(); string(text) != "5 bytes from fe80:0:0:0:0:0:0:1 9 ab\r\n" {
		t.Errorf("%q", text)
	}
	say(d, "udp close")
	if d.shell.HandlePacket(epoch, parsed(t, b)) {
		t.Error("received after close")
	}
}

// snapshot is what a refused command must not change.
type snapshot struct {
	network    thread.Network
	parameters console.Parameters
	mode       string
	ext        ieee802154.ExtAddr
	role       thread.Role
	up         bool
	addresses  []netip.Addr
	groups     []netip.Addr
	filter     []mac.FilterEntry
	children   int
	timeout    time.Duration
}

func snapshotOf(d *device) snapshot {
	return snapshot{
		d.Network(), d.Console().Parameters(), d.Mode().String(), d.ExtAddr(), d.Role(), d.Console().IsUp(), d.Addresses(), d.Console().MulticastAddresses(),
		d.Console().Filter.Entries(), d.Console().Neighbors.Children.Limit(), d.Console().ChildTimeout(),
	}
}

// TestPingTooLong: what can never be sent is refused, and not tried again.
func TestPingTooLong(t *testing.T) {
	d := leading(t)
	for _, line := range []string{"ping ff05::1 1200 5", "ping ff03::1 1232 5"} {
		if got := say(d, line); got != "Error 7: InvalidArgs\r\n" {
			t.Errorf("%s: %q", line, got)
		}
		if next, ok := d.shell.NextTimeout(); ok || d.shell.Waiting() {
			t.Errorf("%s: goes on at %v", line, next)
		}
	}
	if got := say(d, "ping ff05::1 1184"); got != "" {
		t.Errorf("%q", got)
	}
}

// FuzzHandleLine executes two lines after each other, on a node that is off and on one that leads. Whatever they are, all that
// is printed are whole lines, and what is answered by an error has changed nothing.
func FuzzHandleLine(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.txt")
	for _, path := range paths {
		for _, s := range parseTranscript(f, path) {
			if _, command, ok := cutCommand(s.line); ok {
				f.Add(command, "state")
				f.Add("ifconfig up", command)
			}
		}
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		for _, d := range []*device{newDevice(t, 1), leading(t)} {
			for _, line := range []string{first, second} {
				before := snapshotOf(d)
				d.shell.HandleLine(epoch, line)
				text, _ := d.shell.PollOutput()
				if len(text) > 0 && !bytes.HasSuffix(text, []byte("\r\n")) {
					t.Errorf("%q: %q", line, text)
				}
				if d.shell.Err() != nil && !reflect.DeepEqual(before, snapshotOf(d)) {
					t.Errorf("%q: %q, but\n%+v\nbecame\n%+v", line, text, before, snapshotOf(d))
				}
				for range 10 {
					if packet, ok := d.PollPacket(); ok {
						d.shell.HandlePacket(epoch, &packet)
					}
					if next, ok := d.NextTimeout(); ok {
						d.HandleTimeout(slices.MaxFunc([]time.Time{next, epoch}, time.Time.Compare))
					}
				}
				d.shell.PollOutput()
			}
		}
	})
}

// TestBounds: nothing that a user, or who sends to him, can do to the command line again and again lets it grow without bound.
func TestBounds(t *testing.T) {
	d := leading(t)
	for n := range addresses.MaxGroups {
		if got := say(d, fmt.Sprintf("ipmaddr add ff05::1:%x", n)); got != "Done\r\n" {
			t.Fatalf("group %d: %q", n, got)
		}
	}
	if got := say(d, "ipmaddr add ff05::2"); got != "Error 3: NoBufs\r\n" {
		t.Errorf("one group more: %q", got)
	}
	if got := say(d, "ipmaddr del ff05::1:3", "ipmaddr add ff05::2"); got != "Done\r\n" {
		t.Errorf("in place of another: %q", got)
	}

	for n := range 16 {
		if got := say(d, "coap get fdde:ad00:beef:0:1::1 x con"); !strings.HasSuffix(got, "Done\r\n") {
			t.Fatalf("request %d: %q", n, got)
		}
	}
	if got := say(d, "coap get fdde:ad00:beef:0:1::1 x con"); !strings.HasSuffix(got, "Error 3: NoBufs\r\n") {
		t.Errorf("one request more: %q", got)
	}

	for range 10 {
		d.shell.HandleLine(epoch, "reset")
		d.shell.HandleLine(epoch, "factoryreset")
	}
	requests := 0
	for _, ok := d.shell.PollRequest(); ok; _, ok = d.shell.PollRequest() {
		requests++
	}
	if requests != 2 {
		t.Errorf("%d requests wait", requests)
	}

	const most = 300 << 10
	for range 2000 {
		d.shell.HandleLine(epoch, "help")
	}
	text, ok := d.shell.PollOutput()
	if !ok || len(text) > most || !bytes.Contains(text, []byte("output lost")) {
		t.Errorf("%d bytes wait", len(text))
	}
	if got := say(d, "state"); got != "leader\r\nDone\r\n" {
		t.Errorf("afterwards: %q", got)
	}
}
