package meshtest_test

import (
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Three nodes in a row become one mesh, and its ends, which do not hear each other, ping each other through the one between
// them. A test passes its t in place of nil.
func Example() {
	m := meshtest.Chain(nil, lorasim.Options{Seed: 1}, 3, nil)
	m.StartEach(time.Second)
	m.Until(15*time.Minute, "two routers and a leader", func() bool { return m.OneMesh() && m.Count(thread.RoleRouter) == 2 })
	m.Run(time.Minute)
	for i, n := range m.Nodes {
		fmt.Printf("node %d: %v with %d neighbors\n", i+1, n.Role(), len(n.Neighbors()))
	}

	first, last := m.Nodes[0], m.Nodes[2]
	for _, way := range [][2]*meshtest.Node{{first, last}, {last, first}} {
		_, ok := way[0].Ping(way[1].MeshLocalEID(), 20, 30*time.Second)
		fmt.Println("reply:", ok)
	}
	// Output:
	// node 1: leader with 1 neighbors
	// node 2: router with 2 neighbors
	// node 3: router with 1 neighbors
	// reply: true
	// reply: true
}

// A radio that the test plays by hand asks for a parent, and looks at what a leader answers.
func ExamplePeer() {
	m := meshtest.New(nil, lorasim.Options{Seed: 1})
	leader := m.Add(1, lorasim.Position{}, nil)
	leader.Start()
	m.Until(time.Minute, "leader", func() bool { return leader.Role() == thread.RoleLeader })
	m.Run(time.Minute)

	p := m.AddPeer(2, lorasim.Position{X: 100})
	p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(7), mle.ScanRouters))
	answer := p.Await(mle.ParentResponse, leader.ExtAddr(), 5*time.Second)
	response, _ := answer.Response()
	connectivity, _ := answer.Connectivity()
	fmt.Println(response == meshtest.Challenge(7), connectivity.ActiveRouters, "router")
	// Output:
	// true 1 router
}
