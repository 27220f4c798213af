package netif

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// fakeDevice is a TUN whose host is a function.
type fakeDevice struct {
	in     chan []byte // from the host
	closed chan struct{}
	once   sync.Once
	host   func(packet []byte) // takes what is for the host

	given int // packets that were read
}

func newFakeDevice(host func([]byte)) *fakeDevice {
	return &fakeDevice{in: make(chan []byte, 1024), closed: make(chan struct{}), host: host}
}

func (d *fakeDevice) Read(b []byte) (int, error) {
	select {
	case p := <-d.in:
		d.given++
		return copy(b, p), nil
	case <-d.closed:
		return 0, ErrClosed
	}
}

func (d *fakeDevice) Write(b []byte) (int, error) {
	d.host(slices.Clone(b))
	return len(b), nil
}

func (d *fakeDevice) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}

// fakeKernel remembers what it was told.
type fakeKernel struct {
	mu      sync.Mutex
	uplink  bool
	applied int
	set     settings
	changed func()
}

func (k *fakeKernel) begin() error { return nil }
func (k *fakeKernel) apply(s settings) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.applied, k.set = k.applied+1, s
	return nil
}
func (k *fakeKernel) check(settings) ([]string, error) { return nil, nil }
func (k *fakeKernel) missing([]string) error           { return errors.New("missing") }
func (k *fakeKernel) lost(settings) bool               { return false }
func (k *fakeKernel) watch(_ <-chan struct{}, changed, _ func()) error {
	k.changed = changed
	return nil
}
func (k *fakeKernel) hasUplink(string) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.uplink, nil
}
func (k *fakeKernel) setUplink(up bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.uplink = up
}

// spending is a node that adds up the airtime of what it is given to send.
type spending struct {
	node
	cost func(size int) time.Duration

	mu   sync.Mutex
	hour []expense // the latest
	most time.Duration
}

type expense struct {
	at   time.Time
	cost time.Duration
}

func (s *spending) note(b []byte, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		return err
	}
	now := time.Now()
	s.hour = append(s.hour, expense{now, s.cost(len(b))})
	s.hour = slices.DeleteFunc(s.hour, func(e expense) bool { return now.Sub(e.at) >= time.Hour })
	var sum time.Duration
	for _, e := range s.hour {
		sum += e.cost
	}
	s.most = max(s.most, sum)
	return nil
}
func (s *spending) SendPacket(b []byte) error { return s.note(b, s.node.SendPacket(b)) }
func (s *spending) Forward(b []byte) error    { return s.note(b, s.node.Forward(b)) }

// day is a mesh in virtual time with a host at either end: the first a border router.
type day struct {
	t       *testing.T
	random  *rand.Rand
	nodes   []*pymesh.Node
	near    *Interface // the border router's
	far     *Interface
	nearDev *fakeDevice
	farDev  *fakeDevice
	kernel  *fakeKernel
	paid    *spending
	answers int // of the far host, that came to the near one
	strange int // packets for the near host from elsewhere, errors among them
	out     int // packets of the mesh that came out at the near host
}

// TestDay has hosts talk, chatter, flood and change for 24 hours of virtual time, or as many as PYMESH_NETIF_HOURS says: the host's packets stay within
// their budget, each packet is counted once, and nothing grows.
func TestDay(t *testing.T) {
	hours := 24
	if testing.Short() {
		hours = 4
	}
	if text := os.Getenv("PYMESH_NETIF_HOURS"); text != "" {
		var err error
		if hours, err = strconv.Atoi(text); err != nil {
			t.Fatalf("PYMESH_NETIF_HOURS: %v", err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t)
		defer d.close()
		var heap []uint64
		routines := runtime.NumGoroutine()
		for h := range hours {
			d.hour(h)
			d.bounds()
			if n := runtime.NumGoroutine(); n > routines+2 { // a timer of the kernel's own may be about
				t.Fatalf("hour %d: %d goroutines, %d in the beginning", h, n, routines)
			}
			heap = append(heap, heapNow())
		}
		d.judge(hours, heap)
	})
}

func heapNow() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func newDay(t *testing.T) *day {
	const seed = 7
	d := &day{t: t, random: rand.New(rand.NewPCG(seed, 0)), kernel: &fakeKernel{uplink: true}}
	air := lorasim.NewAir(lorasim.Options{Seed: seed, Propagation: lorasim.LinksOnly})
	var radios []*lorasim.Radio
	for i := range 4 {
		r := air.Radio(lora.Config{}, lorasim.Position{})
		if i > 0 {
			air.SetLink(radios[i-1], r, -80)
		}
		radios = append(radios, r)
		n, err := pymesh.New(lora.Govern(r), pymesh.WithKey(pymesh.MustParseKey("6e65746966")), pymesh.WithMAC(pymesh.MAC(0x0200_0000_0000_0001+uint64(i))),
			pymesh.WithStore(new(pymesh.MemoryStore)))
		if err != nil {
			t.Fatal(err)
		}
		d.nodes = append(d.nodes, n)
	}
	time.Sleep(10 * time.Minute) // one mesh
	d.paid = &spending{node: d.nodes[0]}
	d.nearDev, d.farDev = newFakeDevice(d.atNear), newFakeDevice(d.atFar)
	d.near = d.open(d.paid, d.nearDev, d.kernel, Options{BorderRouter: &BorderRouter{}})
	d.paid.cost = d.near.cost
	d.far = d.open(d.nodes[3], d.farDev, &fakeKernel{}, Options{Routes: []netip.Prefix{netip.MustParsePrefix("::/0")}})
	time.Sleep(10 * time.Minute) // addresses in the prefix
	return d
}

func (d *day) open(n node, dev device, k kernel, o Options) *Interface {
	if err := o.defaults(); err != nil {
		d.t.Fatal(err)
	}
	i, err := start(context.Background(), n, dev, k, o.Name, false, o)
	if err != nil {
		d.t.Fatal(err)
	}
	return i
}

func (d *day) close() {
	for _, i := range []*Interface{d.near, d.far} {
		if err := i.Close(); err != nil {
			d.t.Error(err)
		}
	}
	for _, n := range d.nodes {
		_ = n.Close()
		_ = n.Radio().(*lora.Governor).Close()
	}
}

// atFar is the host at the far end: it answers pings, and datagrams to port 7.
func (d *day) atFar(b []byte) {
	p, ok := parse(b)
	if !ok {
		d.t.Errorf("the far host gets %x", b)
		return
	}
	switch {
	case p.Protocol == ip6.ProtocolICMPv6 && p.icmp.Type == ip6.ICMPv6EchoRequest:
		src := p.Dst
		if src.IsMulticast() {
			src = d.nodes[3].MeshLocalEID()
		}
		d.farDev.in <- mustICMP(d.t, src, p.Src, ip6.ICMPv6EchoReply, p.icmp.Body)
	case p.Protocol == ip6.ProtocolUDP && p.dstPort == 7:
		d.farDev.in <- mustUDP(d.t, p.Dst, p.Src, 7, p.srcPort)
	}
}

// atNear is the host of the border router, whose routes lead out.
func (d *day) atNear(b []byte) {
	p, ok := parse(b)
	switch {
	case !ok:
		d.t.Errorf("the near host gets %x", b)
	case p.Protocol == ip6.ProtocolICMPv6 && p.icmp.Type == ip6.ICMPv6EchoReply, p.Protocol == ip6.ProtocolUDP && p.srcPort == 7:
		d.answers++
	case d.near.Prefix().Contains(p.Src) && !d.near.Prefix().Contains(p.Dst):
		d.out++
	default:
		d.strange++
	}
}

// hour lets an hour pass.
func (d *day) hour(h int) {
	d.kernel.setUplink(h%4 != 3)
	if h%2 == 1 {
		d.kernel.changed() // the link went down and up
	}
	flood := d.random.IntN(60)
	for minute := range 60 {
		for _, b := range d.fromNear() {
			d.nearDev.in <- b
		}
		if b := d.fromFar(); b != nil {
			d.farDev.in <- b
		}
		time.Sleep(time.Minute)
		if minute == flood {
			for range 100 {
				d.nearDev.in <- d.udp(d.nodes[3].MeshLocalEID(), uint16(d.random.IntN(1000)+2000), 900)
			}
		}
	}
}

func (d *day) udp(dst netip.Addr, port uint16, size int) []byte {
	b, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: d.nodes[0].MeshLocalEID(), Dst: dst}, uint16(d.random.IntN(60000)+1024), port, bytes.Repeat([]byte{'x'}, size))
	if err != nil {
		d.t.Fatal(err)
	}
	return b
}

func (d *day) anybody(prefix netip.Prefix) netip.Addr {
	a := prefix.Addr().As16()
	for i := 8; i < 16; i++ {
		a[i] = byte(d.random.Uint32())
	}
	return netip.AddrFrom16(a)
}

// fromNear is what the host of the border router sends at a time: what programs want, and what kernels and intruders say.
func (d *day) fromNear() [][]byte {
	eid, peer := d.nodes[0].MeshLocalEID(), d.nodes[3].MeshLocalEID()
	meshLocal, outside := d.nodes[0].Network().MeshLocalPrefix, netip.MustParsePrefix("2001:db8:1::/64")
	echo := []byte{byte(d.random.Uint32()), byte(d.random.Uint32()), 0, 1, 'p', 'i', 'n', 'g'}
	switch d.random.IntN(14) {
	case 0, 1:
		return [][]byte{mustICMP(d.t, eid, peer, ip6.ICMPv6EchoRequest, echo)}
	case 2, 3:
		return [][]byte{d.udp(peer, 7, 50)}
	case 4: // nobody has it
		return [][]byte{d.udp(d.anybody(meshLocal), 7, 50)}
	case 5: // a kernel
		return [][]byte{mustICMP(d.t, netip.IPv6Unspecified(), netip.MustParseAddr("ff02::2"), ip6.ICMPv6Type(133), make([]byte, 4)), d.report()}
	case 6:
		return [][]byte{d.udp(netip.MustParseAddr("ff02::fb"), portMDNS, 200), d.udp(netip.MustParseAddr("ff03::1"), portSSDP, 200)}
	case 7:
		return [][]byte{mustTCP(d.t, eid, peer, uint16(d.random.IntN(60000)+1024), 80, 2)}
	case 8: // another source, too long, to a port of the mesh's own, and nothing at all
		long := d.udp(peer, 7, 1300)
		return [][]byte{mustUDP(d.t, netip.MustParseAddr("fd99::1"), peer, 1, 7), long, d.udp(peer, mle.UDPPort, 10), {0x60}, {0x45, 0}, nil}
	case 9: // the world knocks
		return [][]byte{mustUDP(d.t, d.anybody(outside), d.anybody(d.near.Prefix()), 1, 7), mustUDP(d.t, d.anybody(d.near.Prefix()), d.anybody(d.near.Prefix()), 1, 7)}
	case 10:
		return [][]byte{d.udp(netip.MustParseAddr("ff03::1"), 4321, 20)}
	case 11: // a program that asks and asks
		ping := mustICMP(d.t, eid, peer, ip6.ICMPv6EchoRequest, echo)
		return [][]byte{ping, ping, ping, ping}
	}
	return nil
}

// report has the host join a group, or leave one.
func (d *day) report() []byte {
	group := netip.MustParseAddr("ff05::1000").As16()
	group[15] = byte(d.random.IntN(100))
	kind := ip6.ICMPv6Type(reportV1)
	if d.random.IntN(2) == 0 {
		kind = doneV1
	}
	return mustICMP(d.t, d.nodes[0].MeshLocalEID(), netip.AddrFrom16(group), kind, append(make([]byte, 4), group[:]...))
}

// fromFar is what the far host sends: to places outside, each time another one.
func (d *day) fromFar() []byte {
	for _, a := range d.nodes[3].IPAddrs() {
		if d.near.Prefix().Contains(a) && d.random.IntN(2) == 0 {
			dst := d.anybody(netip.MustParsePrefix("2001:db8:2::/64"))
			return mustUDP(d.t, a, dst, uint16(d.random.IntN(60000)+1024), 53)
		}
	}
	return nil
}

// bounds looks at what could grow.
func (d *day) bounds() {
	d.t.Helper()
	for _, i := range []*Interface{d.near, d.far} {
		i.mu.Lock()
		if len(i.queue.packets) > maxQueue || len(i.groups) > maxGroups || len(i.recent) > 16 || len(i.errs.sent) > maxErrorRates ||
			i.fence != nil && i.fence.flows.len() > maxFlows {
			d.t.Errorf("%d waiting, %d groups, %d recent, %d rates", len(i.queue.packets), len(i.groups), len(i.recent), len(i.errs.sent))
		}
		i.mu.Unlock()
	}
}

// judge looks at what the day has come to.
func (d *day) judge(hours int, heap []uint64) {
	synctest.Wait()
	stats := d.near.Stats()
	d.t.Logf("near, to the mesh: %v", stats.ToMesh)
	d.t.Logf("near, to the host: %v; %d answers, %d out, %d others, settings applied %d times", stats.ToHost, d.answers, d.out, d.strange, d.kernel.applied)
	d.t.Logf("far: %+v", d.far.Stats())
	d.t.Logf("heap by hour: %v", heap)
	counted := stats.Queued
	for _, c := range stats.ToMesh {
		counted += int(c.Packets)
	}
	if counted < d.nearDev.given {
		d.t.Errorf("%d packets of the host, %d are counted", d.nearDev.given, counted)
	}
	far := d.far.Stats()
	counted = far.Queued
	for _, c := range far.ToMesh {
		counted += int(c.Packets)
	}
	if counted != d.farDev.given {
		d.t.Errorf("%d packets of the far host, %d are counted", d.farDev.given, counted)
	}
	limit := time.Hour / 100 // EU868
	budget := limit/2 + d.near.queue.burst
	if most := d.paid.most; most > budget || most < budget/4 {
		d.t.Errorf("the host's packets took %v in an hour, their budget is %v", most, budget)
	} else {
		d.t.Logf("the host's packets took at most %v in an hour, their budget is %v", most, budget)
	}
	if d.answers < 4*hours || d.out < 4*hours {
		d.t.Errorf("%d answers and %d packets out in %d hours", d.answers, d.out, hours)
	}
	if len(d.kernel.set.addresses) == 0 || d.kernel.applied > 4*hours+20 {
		d.t.Errorf("%d settings, %+v", d.kernel.applied, d.kernel.set)
	}
	if first, last := heap[min(1, len(heap)-1)], heap[len(heap)-1]; last > first+2<<20 {
		d.t.Errorf("the heap has grown from %d to %d bytes", first, last)
	}
}
