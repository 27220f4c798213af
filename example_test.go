package pymesh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
)

// The examples are the twins of those in Pycom's documentation of the Pymesh API. They share a simulated air, on which time
// passes 25 times as fast.
var air = sync.OnceValue(func() *lorasim.Air { return lorasim.NewAir(lorasim.Options{Speed: 25}) })

// newRadio returns the radio of a new node, out of reach of all others.
func newRadio() lora.Radio {
	places++
	return air().Radio(lora.Config{}, lorasim.Position{X: 100_000 * places})
}

var places float64

// twoNodes returns the leader of a mesh and another router, with the MAC addresses 1 and 2, which know each other.
var twoNodes = sync.OnceValues(func() (leader, router *pymesh.Node) {
	// So that the examples do not take minutes: a router is one at once.
	timing := thread.TimingPymesh()
	timing.RouterSelectionJitter = time.Second
	start := func(mac pymesh.MAC, state pymesh.State) *pymesh.Node {
		node, err := pymesh.New(air().Radio(lora.Config{}, lorasim.Position{X: 10 * float64(mac)}), pymesh.WithKey(pymesh.MustParseKey("6578616d706c65")),
			pymesh.WithMAC(mac), pymesh.WithStore(new(pymesh.MemoryStore)), pymesh.WithTiming(pymesh.TimingOf(timing)))
		if err != nil {
			log.Fatal(err)
		}
		events := node.Events(context.Background())
		for node.State() != state {
			<-events
		}
		return node
	}
	leader, router = start(1, pymesh.StateLeader), start(2, pymesh.StateRouter)
	// Once this has worked both ways, both know the way.
	for _, way := range [][2]*pymesh.Node{{leader, router}, {router, leader}} {
		for {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_, err := way[0].Ping(ctx, way[1].MeshLocalEID(), 8)
			cancel()
			if err == nil && len(way[0].Neighbors()) == 1 && len(way[0].Routers()) == 2 {
				break
			}
		}
	}
	return leader, router
})

// lora = LoRa(mode=LoRa.LORA, region=LoRa.EU868, frequency=863000000, bandwidth=LoRa.BW_125KHZ, sf=7)
//
// pymesh = lora.Mesh()
func Example() {
	// The LoRa parameters have to be the same on all nodes of a Pymesh.
	radio := air().Radio(lora.Config{
		Region: lora.EU868, Frequency: 863_000_000, Bandwidth: lora.BW125, SpreadingFactor: lora.SF7,
	}, lorasim.Position{})

	node, err := pymesh.New(radio, pymesh.WithKey(pymesh.DefaultKey()))
	if err != nil {
		log.Fatal(err)
	}
	defer node.Close()

	// Nobody else is there, so the node founds a mesh of its own.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := node.WaitAttached(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Pymesh node role: %d, %v\n", node.State(), node.State())
	fmt.Println("IPv6 unicast addresses:", len(node.IPAddrs()))
	// Output:
	// Pymesh node role: 4, leader
	// IPv6 unicast addresses: 4
}

// masterkey = ubinascii.unhexlify("112233")
//
// pymesh = lora.Mesh(key=masterkey)
func ExampleWithKey() {
	key, err := pymesh.ParseKey("112233")
	if err != nil {
		log.Fatal(err)
	}
	node, err := pymesh.New(newRadio(), pymesh.WithKey(key))
	if err != nil {
		log.Fatal(err)
	}
	defer node.Close()

	// As a test, the key can be printed.
	masterkey, err := node.CLI(context.Background(), "masterkey")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print("masterkey: ", masterkey)
	// Output:
	// masterkey: 11223300000000000000000000000000
}

// A node with a store is the same node after a restart. The firmware keeps its settings in flash by itself.
func ExampleWithStore() {
	dir, err := os.MkdirTemp("", "pymesh") // of a daemon, /var/lib/NAME
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	radio := newRadio()
	start := func() (pymesh.MAC, netip.Addr) {
		store, err := pymesh.OpenFileStore(filepath.Join(dir, "node.store"))
		if err != nil {
			log.Fatal(err)
		}
		defer store.Close()
		node, err := pymesh.New(radio, pymesh.WithKey(pymesh.MustParseKey("736563726574")), pymesh.WithStore(store))
		if err != nil {
			log.Fatal(err)
		}
		defer node.Close()
		return node.MAC(), node.MeshLocalEID()
	}
	mac, eid := start()
	again, addr := start()
	fmt.Println(mac == again, eid == addr)
	// Output:
	// true true
}

// A store that was damaged is refused until the operator has decided.
func ExampleRecoverFileStore() {
	dir, err := os.MkdirTemp("", "pymesh")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "node.store")
	store, err := pymesh.OpenFileStore(path)
	if err != nil {
		log.Fatal(err)
	}
	node, err := pymesh.New(newRadio(), pymesh.WithKey(pymesh.NewKey()), pymesh.WithStore(store))
	if err != nil {
		log.Fatal(err)
	}
	node.Close()
	store.Close()
	if err := os.WriteFile(path, []byte("not what was saved"), 0o600); err != nil {
		log.Fatal(err)
	}

	_, err = pymesh.OpenFileStore(path)
	fmt.Println(errors.Is(err, pymesh.ErrStoreDamaged))
	aside, err := pymesh.RecoverFileStore(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(filepath.Base(aside))
	store, err = pymesh.OpenFileStore(path)
	fmt.Println(err)
	store.Close()
	// Output:
	// true
	// node.store.damaged
	// <nil>
}

// pymesh.deinit()
func ExampleNode_Close() {
	radio := newRadio()
	node, err := pymesh.New(radio, pymesh.WithKey(pymesh.MustParseKey("736563726574")))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(node.Close())

	// Methods of a closed node answer nothing.
	fmt.Println(node.Neighbors())
	_, ok := node.Leader()
	fmt.Println(ok)

	// The radio is free for another node.
	node, err = pymesh.New(radio, pymesh.WithKey(pymesh.MustParseKey("736563726574")))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(node.State(), node.Close())
	// Output:
	// <nil>
	// []
	// false
	// detached <nil>
}

// pymesh.state()
func ExampleNode_State() {
	node, _ := twoNodes()
	fmt.Printf("%d\n", node.State())
	fmt.Println(node.State(), node.State() == pymesh.StateLeader)
	// Output:
	// 4
	// leader true
}

// pymesh.single()
func ExampleNode_Single() {
	node, _ := twoNodes()
	fmt.Println(node.Single()) // there is another router
	// Output:
	// false
}

// pymesh.ipaddr()
func ExampleNode_IPAddrs() {
	node, _ := twoNodes()
	rloc := netip.MustParseAddr(fmt.Sprintf("fdde:ad00:beef:0:0:ff:fe00:%x", node.RLOC16()))
	for _, addr := range node.IPAddrs() {
		switch addr {
		case rloc:
			fmt.Println("the routing locator (RLOC), which changes with the topology")
		case node.MeshLocalEID():
			fmt.Println("the mesh-local EID, which applications should use")
		default:
			fmt.Println(addr)
		}
	}
	// Output:
	// fdde:ad00:beef::ff:fe00:fc00
	// the routing locator (RLOC), which changes with the topology
	// the mesh-local EID, which applications should use
	// fe80::200:0:0:1
}

// pymesh.rloc()
func ExampleNode_RLOC16() {
	node, _ := twoNodes()
	leader, _ := node.Leader()
	fmt.Println(node.RLOC16() == leader.RLOC16)
	fmt.Printf("a router's last ten bits: %#x\n", node.RLOC16()&0x3ff)
	// Output:
	// true
	// a router's last ten bits: 0x0
}

// pymesh.neighbors()
func ExampleNode_Neighbors() {
	node, peer := twoNodes()
	for _, n := range node.Neighbors() {
		fmt.Printf("mac=%d, role=%d, rssi=%d\n", n.MAC, n.Role, n.RSSI)
		fmt.Println(n.RLOC16 == peer.RLOC16(), n.Age >= 0)
	}
	// Output:
	// mac=2, role=3, rssi=-52
	// true true
}

// pymesh.routers()
func ExampleNode_Routers() {
	node, _ := twoNodes()
	for _, r := range node.Routers() {
		fmt.Printf("mac=%d, path_cost=%d\n", r.MAC, r.PathCost)
	}
	// Unordered output:
	// mac=1, path_cost=0
	// mac=2, path_cost=0
}

// pymesh.leader()
func ExampleNode_Leader() {
	node, other := twoNodes()
	leader, ok := other.Leader()
	fmt.Printf("mac=%d, %v\n", leader.MAC, ok)
	fmt.Println(leader.RLOC16 == node.RLOC16())
	// Output:
	// mac=1, true
	// true
}

// pymesh.rx_cb(receive_pack, sockets)
func ExampleNode_OnReceive() {
	node, peer := twoNodes()
	conn, err := node.ListenUDP(netip.MustParseAddrPort("[::]:1234"))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	// One handler for all sockets of the node: it gets the one with the new datagram.
	node.OnReceive(func(conn *pymesh.UDPConn) {
		buf := make([]byte, 128)
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		fmt.Printf("Incoming %d bytes from port %d: %s\n", n, from.Port(), buf[:n])
		if !bytes.HasPrefix(buf[:n], []byte("ACK")) {
			conn.WriteToUDPAddrPort([]byte("ACK"), from)
		}
	})
	defer node.OnReceive(nil)

	client, err := peer.DialUDP(netip.MustParseAddrPort("[::]:4321"), netip.AddrPortFrom(node.MeshLocalEID(), 1234))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	fmt.Fprint(client, "Hello World!")
	client.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 128)
	n, err := client.Read(buf)
	fmt.Println("answer:", string(buf[:n]), err)
	// Output:
	// Incoming 12 bytes from port 4321: Hello World!
	// answer: ACK <nil>
}

// The handler of Pycom's documentation, line by line: it looks at all sockets, again and again, until none has anything.
//
//	pymesh.rx_cb(receive_pack, sockets)
func ExampleNode_OnReceive_allSockets() {
	node, peer := twoNodes()
	var sockets []*pymesh.UDPConn
	for _, port := range []uint16{1234, 1235} { // eid_socket, br_socket
		s, err := node.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), port))
		if err != nil {
			log.Fatal(err)
		}
		defer s.Close()
		sockets = append(sockets, s)
	}
	receivePack := func(sockets []*pymesh.UDPConn) {
		for { // listen for incoming packets on all sockets
			isNewData := false
			var rcvData []byte
			var rcvAddr netip.AddrPort
			var sock *pymesh.UDPConn
			for _, sock = range sockets {
				buf := make([]byte, 128) // check if data received on all sockets
				n, m, err := sock.TryRead(buf)
				rcvData, rcvAddr = buf[:n], m.From
				if err == nil && len(rcvData) > 0 {
					isNewData = true
					break // out of the sockets
				}
			}
			if !isNewData {
				break // out of while True
			}
			fmt.Printf("Incoming %d bytes from port %d\n", len(rcvData), rcvAddr.Port())
			// check if data is for the external of the Pymesh
			if h, rest, err := pymesh.ParseBorderRouterHeader(rcvData); err == nil {
				fmt.Printf("IP dest: %v\n", h.Destination)
				rcvData = rest
			}
			fmt.Printf("%s\n", rcvData)
			// send some ACK
			if !bytes.HasPrefix(rcvData, []byte("ACK")) {
				sock.WriteToUDPAddrPort([]byte("ACK"), rcvAddr)
				fmt.Println("Sent ACK back")
			}
		}
	}
	node.OnReceive(func(*pymesh.UDPConn) { receivePack(sockets) })
	defer node.OnReceive(nil)

	client, err := peer.DialUDP(netip.MustParseAddrPort("[::]:4322"), netip.AddrPortFrom(node.MeshLocalEID(), 1235))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	fmt.Fprint(client, "Hello World!")
	client.SetReadDeadline(time.Now().Add(10 * time.Second))
	client.Read(make([]byte, 128))
	// Output:
	// Incoming 12 bytes from port 4322
	// Hello World!
	// Sent ACK back
}

// s.recvfrom(512), which does not wait
func ExampleUDPConn_TryRead() {
	node, _ := twoNodes()
	conn, err := node.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), 1237))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	_, _, err = conn.TryRead(make([]byte, 512))
	fmt.Println(errors.Is(err, syscall.EAGAIN))

	conn.WriteToUDPAddrPort([]byte("to myself"), netip.AddrPortFrom(node.MeshLocalEID(), 1237))
	buf := make([]byte, 512)
	n, m, err := conn.TryRead(buf)
	fmt.Printf("%s %v %v\n", buf[:n], m.To == node.MeshLocalEID(), err)
	// Output:
	// true
	// to myself true <nil>
}

// s.bind(1234)
//
// s.bind(('fdde:ad00:beef:0:4623:91c8:64b2:d9ec', 1235))
func ExampleNode_ListenUDP() {
	node, _ := twoNodes()
	all, err := node.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), 1234)) // at all addresses
	if err != nil {
		log.Fatal(err)
	}
	defer all.Close()
	one, err := node.ListenUDP(netip.AddrPortFrom(node.MeshLocalEID(), 1235)) // at one address
	if err != nil {
		log.Fatal(err)
	}
	defer one.Close()
	fmt.Println(all.LocalAddr())

	_, err = node.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), 80))
	fmt.Println(err)
	// Output:
	// [::]:1234
	// listen udp [::]:80: address [::]:80: port 80 is not in 1024 to 63535
}

// s.sendto("Hello World!", ("fdde:ad00:beef:0:0:ff:fe00:d800", 1234))
//
// s.recvfrom(512)
func ExampleUDPConn() {
	node, peer := twoNodes()
	sender, err := node.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), 1234))
	if err != nil {
		log.Fatal(err)
	}
	defer sender.Close()
	receiver, err := peer.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), 1234))
	if err != nil {
		log.Fatal(err)
	}
	defer receiver.Close()

	n, err := sender.WriteToUDPAddrPort([]byte("Hello World!"), netip.AddrPortFrom(peer.MeshLocalEID(), 1234))
	fmt.Println(n, err)

	receiver.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 512)
	n, from, err := receiver.ReadFromUDPAddrPort(buf)
	fmt.Printf("%q %v %v\n", buf[:n], from == netip.AddrPortFrom(node.MeshLocalEID(), 1234), err)
	// Output:
	// 12 <nil>
	// "Hello World!" true <nil>
}

// s.close()
func ExampleUDPConn_Close() {
	node, _ := twoNodes()
	conn, err := node.ListenUDP(netip.AddrPort{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(conn.Close())
	_, err = conn.Write(nil)
	fmt.Println(err != nil)
	// Output:
	// <nil>
	// true
}

// The firmware's recvfrom returns at once when nothing is there. In Go a deadline says how long to wait.
func ExampleUDPConn_SetReadDeadline() {
	node, _ := twoNodes()
	conn, err := node.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), 1236))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_, _, err = conn.ReadFrom(make([]byte, 512))
	fmt.Println(err)
	// Output:
	// read udp [::]:1236: i/o timeout
}

// A dialled socket has one peer and is a net.Conn.
func ExampleNode_DialUDP() {
	node, peer := twoNodes()
	conn, err := node.DialUDP(netip.AddrPort{}, netip.AddrPortFrom(peer.MeshLocalEID(), 1234))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(fmt.Fprint(conn, "Hello World!"))
	// Output:
	// 12 <nil>
}

// pymesh.cli('leaderdata')
func ExampleNode_CLI() {
	node, _ := twoNodes()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	text, err := node.CLI(ctx, "leaderdata")
	if err != nil {
		log.Fatal(err)
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if name == "Weighting" {
			fmt.Println(name, value)
		}
	}
	_, err = node.CLI(ctx, "dance")
	fmt.Println(err)
	// Output:
	// Weighting 64
	// Error 6: Parse
}

// pymesh.cli('ping fdde:ad00:beef:0:0:ff:fe00:d800')
func ExampleNode_Ping() {
	node, peer := twoNodes()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pong, err := node.Ping(ctx, peer.MeshLocalEID(), 8)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes from the peer: %v, hlim=%d, in less than a minute: %v\n",
		pong.Size, pong.From == peer.MeshLocalEID(), pong.HopLimit, pong.RTT < time.Minute)
	// Output:
	// 8 bytes from the peer: true, hlim=64, in less than a minute: true
}

// Events tell what the functions above would have to be asked for again and again.
func ExampleNode_Events() {
	node, err := pymesh.New(newRadio(), pymesh.WithKey(pymesh.MustParseKey("736563726574")))
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for event := range node.Events(ctx) {
		if event.Type == pymesh.EventState && event.State == pymesh.StateLeader {
			fmt.Println("now", event.State)
			go node.Close()
		}
	}
	fmt.Println("closed, as no events follow")
	// Output:
	// now leader
	// closed, as no events follow
}

// A capture for Wireshark: the network key opens it there.
func ExampleWithCapture() {
	var file bytes.Buffer
	node, err := pymesh.New(newRadio(), pymesh.WithKey(pymesh.MustParseKey("736563726574")), pymesh.WithCapture(&file))
	if err != nil {
		log.Fatal(err)
	}
	if err := node.WaitAttached(context.Background()); err != nil {
		log.Fatal(err)
	}
	node.Close()
	fmt.Println(slices.Equal(file.Bytes()[:4], []byte{0xd4, 0xc3, 0xb2, 0xa1}), file.Len() > 24)
	// Output:
	// true true
}

// Who is in the mesh, and how well do they hear each other?
func ExampleNode_Topology() {
	node, _ := twoNodes()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	t, err := node.Topology(ctx, pymesh.TopologyOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range t.Routers {
		fmt.Println(r.MAC, r.Answered)
	}
	for _, l := range t.Links {
		fmt.Println("qualities", l.AtoB.Quality, l.BtoA.Quality)
	}
	// Unordered output:
	// 0000000000000001 true
	// 0000000000000002 true
	// qualities 3 3
}

// Which way do datagrams take to a node?
func ExampleNode_Trace() {
	node, other := twoNodes()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	hops, err := node.Trace(ctx, other.MeshLocalEID())
	if err != nil {
		log.Fatal(err)
	}
	for i, h := range hops {
		fmt.Println(i+1, h.MAC)
	}
	// Output:
	// 1 0000000000000002
}
