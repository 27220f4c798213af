package mqtt

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/gopymesh/pymesh/examples/gateway/internal/brokertest"
	"github.com/gopymesh/pymesh/examples/gateway/internal/spool"
)

// Environment of the process that TestDeaths kills.
const (
	envDir  = "PYMESH_TEST_SPOOL"
	envURL  = "PYMESH_TEST_BROKER"
	envNext = "PYMESH_TEST_NEXT"
)

// TestDeaths kills the broker and the gateway again and again: no reading is lost, and what comes twice has the same id. PYMESH_QUEUE is how often
// each of them dies, 3 without it; in each life there are 100 readings.
func TestDeaths(t *testing.T) {
	if dir := os.Getenv(envDir); dir != "" {
		mortal(dir)
		return
	}
	deaths := 3
	if s := os.Getenv("PYMESH_QUEUE"); s != "" {
		var err error
		if deaths, err = strconv.Atoi(s); err != nil || deaths < 1 {
			t.Fatalf("PYMESH_QUEUE=%s is no number of deaths", s)
		}
	}
	m := brokertest.Start(t, "allow_anonymous true\nmax_inflight_messages 0")
	gate := brokertest.NewGate(t, m.Address)
	w := &witness{ids: map[string]map[string]int{}, more: make(chan struct{}, 1)}
	client := brokertest.Connect(t, m.URL(), "witness", w.hear, prefix+"/node/+/rx/+")
	dir := t.TempDir()
	var next int
	life := live(t, dir, gate.URL(), next)
	for range deaths {
		life.put(100)
		m.Kill()
		gate.Shut() // until there is somebody to see: a broker forgets what nobody has subscribed to
		m.Run()
		client.Subscribed()
		gate.Open()
		life.put(100)
		next = life.kill()
		life = live(t, dir, gate.URL(), next)
	}
	w.await(t, next)
	life.kill()
	twice := 0
	w.mu.Lock()
	defer w.mu.Unlock()
	for text, ids := range w.ids {
		if len(ids) != 1 {
			t.Errorf("reading %s has the ids %v", text, ids)
		}
		for _, n := range ids {
			twice += n - 1
		}
	}
	t.Logf("%d readings, %d deaths of each; %d came more than once, with their ids", next, deaths, twice)
}

// witness counts readings.
type witness struct {
	mu   sync.Mutex
	ids  map[string]map[string]int // by payload: how often with which id
	more chan struct{}
}

func (w *witness) hear(p *paho.Publish) {
	w.mu.Lock()
	text := string(p.Payload)
	if w.ids[text] == nil {
		w.ids[text] = map[string]int{}
	}
	w.ids[text][p.Properties.User.Get("id")]++
	w.mu.Unlock()
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// await waits for the first n readings.
func (w *witness) await(t *testing.T, n int) {
	t.Helper()
	for from := 0; ; {
		w.mu.Lock()
		for from < n && w.ids[strconv.Itoa(from)] != nil {
			from++
		}
		w.mu.Unlock()
		if from == n {
			return
		}
		select {
		case <-w.more:
		case <-time.After(30 * time.Second):
			t.Fatalf("reading %d of %d has not come", from, n)
		}
	}
}

// process is a life of a gateway.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
	next  int
}

func live(t *testing.T, dir, url string, next int) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], "-test.run=^TestDeaths$"), next: next}
	p.cmd.Env = append(os.Environ(), envDir+"="+dir, envURL+"="+url, envNext+"="+strconv.Itoa(next))
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// read takes a line that says that a reading is on disk.
func (p *process) read() bool {
	if !p.lines.Scan() {
		return false
	}
	if rest, ok := strings.CutPrefix(p.lines.Text(), "put "); ok {
		if n, err := strconv.Atoi(rest); err == nil {
			p.next = n + 1
		}
	}
	return true
}

// put waits until so many more readings are on disk.
func (p *process) put(n int) {
	p.t.Helper()
	for begin := p.next; p.next < begin+n; {
		if !p.read() {
			p.t.Fatal("the gateway has ended by itself")
		}
	}
}

// kill ends it as the kernel does, and returns the number of the next reading.
func (p *process) kill() int {
	_ = p.cmd.Process.Kill()
	for p.read() {
	}
	_ = p.cmd.Wait()
	return p.next
}

// mortal puts readings into a queue, and publishes them, until it is killed.
func mortal(dir string) {
	q, err := spool.Open(dir, spool.Options{})
	if err != nil {
		panic(err)
	}
	l, err := Start(context.Background(), q, Options{
		URL: os.Getenv(envURL), Prefix: prefix, Gateway: macA, Rate: 100000, Logger: slog.New(slog.DiscardHandler), Down: func(Message) {},
		backoff: func(int) time.Duration { return 20 * time.Millisecond },
	})
	if err != nil {
		panic(err)
	}
	n, _ := strconv.Atoi(os.Getenv(envNext))
	for ; ; n++ {
		r := Reading{ // one whose line was not read before the last death comes again, as it was
			Time: time.Unix(1e9+int64(n), 0), Node: nodeMAC, Src: netip.MustParseAddrPort("[fd00::a5]:1234"), Dst: netip.MustParseAddrPort("[fd00::1]:4000"),
			Payload: []byte(strconv.Itoa(n)),
		}
		if err := l.Publish(r); err != nil {
			panic(err)
		}
		fmt.Println("put", n)
		time.Sleep(time.Millisecond)
	}
}
