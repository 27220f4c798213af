package mqtt

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/gopymesh/pymesh/examples/gateway/internal/brokertest"
	"github.com/gopymesh/pymesh/examples/gateway/internal/spool"
)

// TestScale measures what a gateway costs a mosquitto, and itself, for docs/scale.md. PYMESH_SCALE is the number of gateways, 5 without it; each
// sends 100 readings, ten without it.
func TestScale(t *testing.T) {
	gateways, readings := 5, 10
	if s := os.Getenv("PYMESH_SCALE"); s != "" {
		var err error
		if gateways, err = strconv.Atoi(s); err != nil || gateways < 1 {
			t.Fatalf("PYMESH_SCALE=%s is no number of gateways", s)
		}
		readings = 100
	}
	m := brokertest.Start(t, "allow_anonymous true\nmax_inflight_messages 0")
	f := &scaled{m: m, gate: brokertest.NewGate(t, m.Address)}
	c := brokertest.Connect(t, m.URL(), "world", func(p *paho.Publish) {
		if strings.Contains(p.Topic, "/rx/") || strings.Contains(p.Topic, "/json/") {
			f.heard.Add(1)
		}
		if strings.HasSuffix(p.Topic, "/link") {
			f.kept.Add(1)
		}
	}, "#")
	f.connect(t, gateways)
	f.read(t, readings)
	f.retain(t, readings/3)
	t.Logf("a reading that waits: %d bytes on disk", waits(t))
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	t.Logf("memory of a link in the gateway: at most %d bytes", int64(mem.HeapInuse)/int64(gateways))
	c.Close()
}

// scaled is gateways at a broker.
type scaled struct {
	m           *brokertest.Mosquitto
	gate        *brokertest.Gate
	links       []*Link
	heard, kept atomic.Int64 // by the one who hears everything
}

// connect measures what a connection takes.
func (f *scaled) connect(t *testing.T, gateways int) {
	before := residentOf(f.m.PID())
	begin := time.Now()
	for i := range gateways {
		l := linkTo(t, f.gate.URL(), fmt.Sprintf("%016x", 0x1000+i), func(o *Options) {
			o.Prefix, o.HomeAssistant = fmt.Sprintf("pymesh/mesh%d", i), false // each in a mesh of its own
		})
		f.links = append(f.links, l)
	}
	for _, l := range f.links {
		for !l.Connected() {
			time.Sleep(time.Millisecond)
		}
	}
	time.Sleep(500 * time.Millisecond) // in which they subscribe and say that they are there
	t.Logf("%d gateways connected within %v", gateways, time.Since(begin).Round(time.Millisecond))
	t.Logf("memory of the broker for each: %d bytes", (residentOf(f.m.PID())-before)/int64(gateways))
	up, down := f.gate.Bytes()
	t.Logf("bytes of a connection with its subscriptions: %d to the broker, %d from it", up/int64(gateways), down/int64(gateways))

}

// read measures what readings take.
func (f *scaled) read(t *testing.T, readings int) {
	up, down := f.gate.Bytes()
	gateways := len(f.links)
	cpu, begin := cpuOf(f.m.PID()), time.Now()
	own := cpuOf(os.Getpid())
	for n := range readings {
		for i, l := range f.links {
			r := Reading{
				Time: time.Now(), Node: nodeMAC, Src: netip.MustParseAddrPort("[fdde:ad00:beef:0:1234:5678:9abc:def0]:4000"),
				Dst: netip.MustParseAddrPort("[fdde:ad00:beef:0:fedc:ba98:7654:3210]:4000"), Payload: fmt.Appendf(nil, `{"temperature":%d.5,"battery":3.%02d}`, n%30, i%100),
			}
			if err := l.Publish(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := int64(2 * gateways * readings)
	for late := time.Now().Add(5 * time.Minute); f.heard.Load() < want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%d of %d have come", f.heard.Load(), want)
		}
	}
	took := time.Since(begin)
	up2, down2 := f.gate.Bytes()
	total := int64(gateways * readings)
	t.Logf("%d readings, %d messages to the broker, as many from it, in %v", total, want, took.Round(time.Millisecond))
	t.Logf("bytes of a reading: %d to the broker, %d from it", (up2-up)/total, (down2-down)/total)
	t.Logf("processor time of the broker for a message in and out: %v", (cpuOf(f.m.PID())-cpu)/time.Duration(want))
	t.Logf("processor time of the gateways for a reading (with the test's client): %v", (cpuOf(os.Getpid())-own)/time.Duration(total))
}

// retain measures what is retained of nodes, so many of each gateway.
func (f *scaled) retain(t *testing.T, each int) {
	var resident int64
	value := map[string]string{"all that is known of a node": strings.Repeat("x", 560)}
	nodes := int64(len(f.links) * each)
	for round := range int64(2) { // the memory of the second, since what is on its way takes some as well
		resident = residentOf(f.m.PID())
		for i, l := range f.links {
			for n := range each {
				l.Node(fmt.Sprintf("%04x%04x%08x", round, i, n), true, value)
			}
		}
		for late := time.Now().Add(5 * time.Minute); f.kept.Load() < nodes*(round+1); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(late) {
				t.Fatalf("of %d nodes %d are known", nodes, f.kept.Load())
			}
		}
	}
	t.Logf("memory of the broker for what is retained of a node: %d bytes", (residentOf(f.m.PID())-resident)/nodes)
}

// waits is what a reading takes of the queue.
func waits(t *testing.T) int64 {
	q, err := spool.Open(t.TempDir(), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	l := &Link{queue: q}
	r := Reading{
		Time: time.Now(), Node: nodeMAC, Src: netip.MustParseAddrPort("[fdde:ad00:beef:0:1234:5678:9abc:def0]:4000"),
		Dst: netip.MustParseAddrPort("[fdde:ad00:beef:0:fedc:ba98:7654:3210]:4000"), Payload: []byte(`{"temperature":12.5,"battery":3.33}`),
	}
	if err := l.Publish(r); err != nil {
		t.Fatal(err)
	}
	return q.Stats().Bytes
}

// residentOf is the memory of a process, in bytes; 0 where the system does not tell.
func residentOf(pid int) int64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if f := strings.Fields(string(b)); len(f) > 1 {
		n, _ := strconv.ParseInt(f[1], 10, 64)
		return n * int64(os.Getpagesize())
	}
	return 0
}

// cpuOf is the processor time of a process; 0 where the system does not tell.
func cpuOf(pid int) time.Duration {
	const tick = 10 * time.Millisecond
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * tick
}
