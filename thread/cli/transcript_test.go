package cli_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/cli"
	"github.com/gopymesh/pymesh/thread/ieee802154"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// A transcript in testdata is a script together with what it prints:
//
//	1> state               a command to node 1, which is made when it is first named
//	disabled               its answer
//	Done
//	! await 1 leader 60s   let time pass until node 1 has that role
//	! go 5s                let time pass
//	1: 16 bytes from …     what node 1 printed meanwhile
//	~ why                  the answer to the next command is not that of OpenThread, for this reason
//	# …                    a comment
//
// TestTranscripts checks our answers, and TestTranscriptsOfReference that OpenThread's are the same.
type step struct {
	before []string // comments, empty lines, reasons
	line   string   // command or directive
	output []string
	differ bool
}

func parseTranscript(t testing.TB, path string) []step {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	var before []string
	for line := range strings.SplitSeq(strings.TrimSuffix(string(b), "\n"), "\n") {
		_, _, isCommand := cutCommand(line)
		switch {
		case strings.HasPrefix(line, "#"), strings.HasPrefix(line, "~ "):
			before = append(before, line)
		case isCommand, strings.HasPrefix(line, "! "):
			steps = append(steps, step{before: before, line: line, differ: slices.ContainsFunc(before, func(s string) bool {
				return strings.HasPrefix(s, "~ ")
			})})
			before = nil
		case len(steps) > 0:
			last := &steps[len(steps)-1]
			last.output = append(last.output, line)
		default:
			t.Fatalf("%s: %q is no command", path, line)
		}
	}
	return steps
}

// cutCommand splits "1> state".
func cutCommand(line string) (node int, command string, ok bool) {
	id, command, ok := strings.Cut(line, "> ")
	node, err := strconv.Atoi(id)
	return node, command, ok && err == nil
}

// network is what a script runs on.
type network interface {
	// command executes a command and returns what it prints at once.
	command(node int, line string) []string
	// run lets time pass, until a node has a role if one is given.
	run(d time.Duration, node int, role string)
	// printed returns what each node has printed on its own.
	printed() map[int][]string
}

// play runs a script and returns it with what was printed.
func play(t *testing.T, n network, script []step) []step {
	t.Helper()
	var done []step
	for _, s := range script {
		s.output = nil
		if node, command, ok := cutCommand(s.line); ok {
			s.output = n.command(node, command)
			done = append(done, s)
			continue
		}
		var node int
		var role, limit string
		if _, err := fmt.Sscanf(s.line, "! await %d %s %s", &node, &role, &limit); err != nil {
			if _, err := fmt.Sscanf(s.line, "! go %s", &limit); err != nil {
				t.Fatalf("what is %q?", s.line)
			}
		}
		d, err := time.ParseDuration(limit)
		if err != nil {
			t.Fatalf("%q: %v", s.line, err)
		}
		n.run(d, node, role)
		printed := n.printed()
		for id := range 10 {
			for _, line := range printed[id] {
				s.output = append(s.output, fmt.Sprintf("%d: %s", id, line))
			}
		}
		done = append(done, s)
	}
	return done
}

func formatTranscript(steps []step) []byte {
	var b bytes.Buffer
	for _, s := range steps {
		for _, lines := range [][]string{s.before, {s.line}, s.output} {
			for _, line := range lines {
				b.WriteString(line + "\n")
			}
		}
	}
	return b.Bytes()
}

func TestTranscripts(t *testing.T) {
	paths, _ := filepath.Glob("testdata/*.txt")
	if len(paths) == 0 {
		t.Fatal("no transcripts")
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			script := parseTranscript(t, path)
			got := formatTranscript(play(t, newOurs(t), script))
			if *update {
				if err := os.WriteFile(path, got, 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			want := formatTranscript(script)
			g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
			for k := range max(len(g), len(w)) {
				if k >= len(g) || k >= len(w) || g[k] != w[k] {
					t.Fatalf("line %d: %q, want %q", k+1, at(g, k), at(w, k))
				}
			}
		})
	}
}

func at(lines []string, k int) string {
	if k < len(lines) {
		return lines[k]
	}
	return "(nothing)"
}

// ours is a network of our nodes on a simulated air.
type ours struct {
	t     *testing.T
	sim   *lorasim.Sim
	nodes map[int]*device
}

// device is an engine with its command line, as a program drives it.
type device struct {
	*thread.Engine
	antenna *lorasim.Node
	shell   *cli.Interpreter
	cfg     thread.Config
	text    []byte
	t       testing.TB
}

func newOurs(t *testing.T) *ours {
	return &ours{t: t, nodes: map[int]*device{}, sim: lorasim.New(lorasim.Options{
		Seed: 1, PHY: lorasim.IEEE802154, Ideal: true, NoListen: true,
		Propagation: func(float64, lorasim.Position, lorasim.Position) float64 { return -20 },
	})}
}

func newDevice(t testing.TB, id int) *device {
	seed := [32]byte{byte(id)}
	d := &device{t: t, cfg: thread.Config{
		NetworkKey: [16]byte{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff},
		ExtAddr:    ieee802154.ExtAddr{0x18, 0xb4, 0x30, 0, 0, 0, 0, byte(id)},
		Timing:     thread.TimingIEEE802154(), StoredNetwork: true, Store: new(thread.MemoryStore), Rand: rand.NewChaCha8(seed),
		MultiChannel: true,
	}}
	d.boot()
	n := d.Network()
	n.PANID = ieee802154.BroadcastPAN // as OpenThread starts
	if err := d.Console().SetNetwork(n); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *device) boot() {
	engine, err := thread.New(d.cfg)
	if err != nil {
		d.t.Fatal(err)
	}
	d.Engine, d.shell = engine, cli.New(engine)
}

// finish fetches what engine and command line have put out.
func (d *device) finish(now time.Time) {
	for {
		packet, ok := d.PollPacket()
		if !ok {
			break
		}
		d.shell.HandlePacket(now, &packet)
	}
	if text, ok := d.shell.PollOutput(); ok {
		d.text = append(d.text, text...)
	}
	switch r, _ := d.shell.PollRequest(); r {
	case cli.RequestFactoryReset:
		d.cfg.Store = new(thread.MemoryStore)
		fallthrough
	case cli.RequestReset:
		d.boot()
		if d.AutoStart() {
			if err := d.Start(now); err != nil {
				d.t.Error(err)
			}
		}
	}
}

func (d *device) lines() []string {
	text := string(d.text)
	d.text = nil
	if text == "" {
		return nil
	}
	if !strings.HasSuffix(text, "\r\n") {
		d.t.Errorf("%q does not end with a line", text)
	}
	return strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n")
}

func (d *device) NextTimeout() (time.Time, bool) {
	a, ok := d.Engine.NextTimeout()
	if b, too := d.shell.NextTimeout(); too && (!ok || b.Before(a)) {
		return b, true
	}
	return a, ok
}

func (d *device) HandleTimeout(now time.Time) {
	d.Engine.HandleTimeout(now)
	d.shell.HandleTimeout(now)
	d.finish(now)
}

func (d *device) HandleFrame(now time.Time, psdu []byte, rssi int) {
	d.shell.HandleFrame(psdu)
	d.Engine.HandleFrame(now, psdu, rssi)
	d.finish(now)
}

func (d *device) HandleTransmitDone(now time.Time, err error) {
	d.Engine.HandleTransmitDone(now, err)
	d.finish(now)
}

func (o *ours) node(id int) *device {
	if o.nodes[id] == nil {
		d := newDevice(o.t, id)
		d.antenna = o.sim.Add(d, lorasim.Position{X: float64(id)})
		o.nodes[id] = d
	}
	return o.nodes[id]
}

func (o *ours) command(id int, line string) []string {
	d := o.node(id)
	d.shell.HandleLine(o.sim.Now(), line)
	d.finish(o.sim.Now())
	d.antenna.Touch()
	return d.lines()
}

func (o *ours) run(d time.Duration, id int, role string) {
	if role == "" {
		o.sim.Run(d)
		return
	}
	if !o.sim.RunUntil(func() bool { return o.nodes[id].Role().String() == role }, d) {
		o.t.Fatalf("node %d is %v after %v, want %s", id, o.nodes[id].Role(), d, role)
	}
}

func (o *ours) printed() map[int][]string {
	all := map[int][]string{}
	for id, d := range o.nodes {
		all[id] = d.lines()
	}
	return all
}
