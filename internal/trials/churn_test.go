package trials

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/mle"
)

// churning is a random mesh to which things happen.
type churning struct {
	*meshtest.Mesh
	r       *rand.Rand
	seed    uint64
	first   []thread.Config // of the nodes, when all began
	ledgers []ledger
	key     [16]byte
	log     []string
}

// newChurning makes a mesh of 6 to 13 nodes, of which the routers alone could be one mesh, with every end device in reach of one of them.
func newChurning(t testing.TB, seed uint64) *churning {
	c := &churning{r: rand.New(rand.NewPCG(seed, 3)), seed: seed, key: meshtest.NetworkKey}
	for {
		n, loss := 6+c.r.IntN(8), 0.05*float64(c.r.IntN(3))
		kinds := make([]int, n)
		for i := range kinds {
			kinds[i] = c.r.IntN(8)
		}
		c.Mesh = meshtest.Scatter(t, lorasim.Options{Seed: c.r.Uint64(), Loss: loss}, n, func(cfg *thread.Config) {
			switch i := cfg.ExtAddr[7] - 1; {
			case i > 0 && kinds[i] == 6:
				cfg.Mode = thread.ModeMinimalEndDevice
			case i > 0 && kinds[i] == 7:
				cfg.EndDevice = true
			}
		})
		if c.possible() {
			break
		}
	}
	c.ledgers = make([]ledger, len(c.Nodes))
	for _, n := range c.Nodes {
		c.first = append(c.first, n.Config)
	}
	return c
}

// possible reports whether all nodes can become one mesh: routes cost less than 16 (Thread 1.1 §5.9), and each end device hears a router.
func (c *churning) possible() bool {
	const most = 12
	n := len(c.Nodes)
	cost := make([][]int, n)
	for i := range n {
		cost[i] = make([]int, n)
		for j := range n {
			cost[i][j] = 100
			if rssi := c.Sim.RSSI(c.Nodes[i].Antenna, c.Nodes[j].Antenna); rssi >= c.Nodes[j].Antenna.Config().Sensitivity() {
				cost[i][j] = [...]int{100, 4, 2, 1}[c.Nodes[j].Console().LinkQuality(int(rssi))]
			}
		}
	}
	routes := func(i int) bool {
		return !c.Nodes[i].Config.EndDevice && c.Nodes[i].Mode().Has(mle.ModeFullThreadDevice)
	}
	for k := range n {
		for i := range n {
			for j := range n {
				if routes(k) {
					cost[i][j] = min(cost[i][j], cost[i][k]+cost[k][j])
				}
			}
		}
	}
	for i := range n {
		for j := range n {
			if i != j && cost[i][j] > most {
				return false
			}
		}
	}
	return true
}

// note keeps what happens, for the report of a failure.
func (c *churning) note(format string, args ...any) {
	c.log = append(c.log, c.Sim.Now().Format(time.TimeOnly)+" "+fmt.Sprintf(format, args...))
}

// listen takes the events of all nodes each ten seconds.
func (c *churning) listen() {
	for i, n := range c.Nodes {
		c.ledgers[i].read(n)
	}
	c.Sim.After(10*time.Second, c.listen)
}

func (c *churning) any() (int, *meshtest.Node) {
	i := c.r.IntN(len(c.Nodes))
	return i, c.Nodes[i]
}

func (c *churning) pause(least, most time.Duration) time.Duration {
	return least + time.Duration(c.r.Int64N(int64(most-least)))
}

// happenings are what can befall a mesh. None waits.
var happenings = []struct {
	name string
	do   func(c *churning, i int, n *meshtest.Node)
}{
	{"restart", func(c *churning, _ int, n *meshtest.Node) { n.Restart() }},
	{"restart without the store", func(c *churning, _ int, n *meshtest.Node) { wipe(n) }},
	{"power cut", func(c *churning, _ int, n *meshtest.Node) {
		n.PowerOff()
		c.Sim.After(c.pause(time.Second, 10*time.Minute), n.Restart)
	}},
	{"power cut for all", func(c *churning, _ int, _ *meshtest.Node) {
		for _, n := range c.Nodes {
			n.PowerOff()
			c.Sim.After(c.pause(time.Minute, 3*time.Minute), n.Restart)
		}
	}},
	{"antenna off", func(c *churning, _ int, n *meshtest.Node) {
		n.Antenna.SwitchOff()
		c.Sim.After(c.pause(time.Second, 10*time.Minute), n.Antenna.SwitchOn)
	}},
	{"link cut", func(c *churning, _ int, n *meshtest.Node) {
		_, o := c.any()
		if o != n {
			c.Sim.CutLink(n.Antenna, o.Antenna)
			c.Sim.After(c.pause(10*time.Second, 15*time.Minute), func() { c.Sim.RestoreLink(n.Antenna, o.Antenna) })
		}
	}},
	{"two halves", func(c *churning, _ int, _ *meshtest.Node) {
		var half []lorasim.Endpoint
		for _, n := range c.Nodes {
			if c.r.IntN(2) == 0 {
				half = append(half, n.Antenna)
			}
		}
		c.Sim.Partition(half)
		c.Sim.After(c.pause(time.Minute, 15*time.Minute), c.Sim.Heal)
	}},
	{"stop and start", func(c *churning, _ int, n *meshtest.Node) {
		n.Stop()
		c.Sim.After(c.pause(time.Second, 5*time.Minute), n.Start)
	}},
	{"next key sequence", func(c *churning, _ int, n *meshtest.Node) {
		v := n.Console()
		_ = v.SetKeySequence(c.Sim.Now(), v.Keys.Sequence()+1)
	}},
	{"another network key", func(c *churning, _ int, _ *meshtest.Node) {
		c.key[0]++
		for _, n := range c.Nodes {
			n.Stop()
			network := n.Network()
			network.Key = c.key
			_ = n.Console().SetNetwork(network)
			n.Config.NetworkKey = c.key
			c.Sim.After(c.pause(time.Second, time.Minute), n.Start)
		}
	}},
	{"another mode", func(c *churning, i int, n *meshtest.Node) {
		mode := thread.ModeMinimalEndDevice
		if !n.Mode().Has(mle.ModeFullThreadDevice) {
			mode = thread.ModeFullThreadDevice
		}
		if mode == thread.ModeMinimalEndDevice && c.r.IntN(2) == 0 {
			mode = thread.ModeSleepyEndDevice
		}
		_ = n.Console().SetMode(c.Sim.Now(), mode)
	}},
	{"router role", func(c *churning, _ int, n *meshtest.Node) { n.Console().SetRouterRole(c.Sim.Now(), c.r.IntN(2) == 0) }},
	{"state detached", func(c *churning, _ int, n *meshtest.Node) { _ = n.Console().BecomeDetached(c.Sim.Now()) }},
	{"state child", func(c *churning, _ int, n *meshtest.Node) { _ = n.Console().BecomeChild(c.Sim.Now()) }},
	{"state router", func(c *churning, _ int, n *meshtest.Node) { _ = n.Console().BecomeRouter(c.Sim.Now()) }},
	{"state leader", func(c *churning, _ int, n *meshtest.Node) { _ = n.Console().BecomeLeader(c.Sim.Now()) }},
	{"releaserouterid", func(c *churning, _ int, n *meshtest.Node) {
		if routers := n.Routers(); len(routers) > 0 {
			_ = n.Console().ReleaseRouterID(c.Sim.Now(), routers[c.r.IntN(len(routers))].ID)
		}
	}},
	{"childtimeout", func(c *churning, _ int, n *meshtest.Node) {
		n.Console().SetChildTimeout(c.Sim.Now(), c.pause(time.Minute, 5*time.Minute).Truncate(time.Second))
	}},
	{"ipaddr", func(c *churning, _ int, n *meshtest.Node) {
		a := netip.MustParseAddr("fd00:1::1").As16()
		a[15] = byte(c.r.IntN(4))
		if v := n.Console(); v.AddAddress(netip.AddrFrom16(a)) != nil {
			_ = v.RemoveAddress(netip.AddrFrom16(a))
		}
	}},
	{"ping", func(c *churning, _ int, n *meshtest.Node) {
		_, o := c.any()
		ask(c.Mesh, n, o.MeshLocalEID(), 1, 10*time.Second)
	}},
}

// churn starts the nodes, lets things happen, and puts everything in order again.
func (c *churning) churn() {
	c.listen()
	for _, n := range c.Nodes {
		n.Start()
		c.Run(c.pause(0, 30*time.Second))
	}
	c.Run(c.pause(0, 20*time.Minute))
	for range 5 + c.r.IntN(15) {
		h := happenings[c.r.IntN(len(happenings))]
		i, n := c.any()
		c.note("%s (node %d, %v)", h.name, i+1, n.Role())
		h.do(c, i, n)
		n.Antenna.Touch()
		c.Run(c.pause(0, 4*time.Minute))
	}
	c.Run(15 * time.Minute) // all that was to end has ended
	c.note("order")
	c.Sim.Heal()
	for i, n := range c.Nodes {
		n.Start()
		_ = n.Console().SetMode(c.Sim.Now(), cmp.Or(max(c.first[i].Mode, n.Config.Mode), thread.ModeFullThreadDevice))
		n.Console().SetRouterRole(c.Sim.Now(), !c.first[i].EndDevice)
		n.Antenna.Touch()
	}
}

// calm lets the mesh settle and tells what is not as it should be.
func (c *churning) calm() (wrong []string) {
	if !c.Sim.RunUntil(c.OneMesh, 90*time.Minute) {
		return []string{"not one mesh within 90 minutes"}
	}
	// A moment without a change is found soon: a router may just come or go.
	c.Run(10 * time.Minute)
	c.Sim.RunUntil(func() bool { return c.OneMesh() && len(inconsistencies(c.Mesh)) == 0 }, 30*time.Minute)
	if !c.OneMesh() {
		wrong = append(wrong, "no longer one mesh")
	}
	wrong = append(wrong, inconsistencies(c.Mesh)...)
	for i, n := range c.Nodes {
		for _, w := range c.ledgers[i].settle(n) {
			wrong = append(wrong, fmt.Sprintf("events of node %d: %s", i+1, w))
		}
	}
	return wrong
}

// churnSeeds says how many meshes are tried, and for how long at most: as PYMESH_CHURN says, a number or a time.
func churnSeeds(t *testing.T) (seeds uint64, budget time.Duration) {
	seeds, budget = 60, time.Hour
	if testing.Short() {
		seeds = 6
	}
	v := os.Getenv("PYMESH_CHURN")
	if v == "" {
		return seeds, budget
	}
	if n, err := strconv.ParseUint(v, 10, 32); err == nil {
		return n, budget
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		t.Fatalf("PYMESH_CHURN=%s is neither a number of meshes nor a time", v)
	}
	return 1000, d
}

// TestChurn: whatever happens to a random mesh, it is one again when that is over.
func TestChurn(t *testing.T) {
	seeds, budget := churnSeeds(t)
	began := time.Now()
	var tried atomic.Uint64
	t.Cleanup(func() { t.Logf("%d meshes in %v", tried.Load(), time.Since(began).Round(time.Second)) })
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			if time.Since(began) > budget {
				t.Skip("the time is over")
			}
			tried.Add(1)
			c := newChurning(t, seed)
			c.churn()
			if wrong := c.calm(); len(wrong) > 0 {
				for _, w := range wrong {
					t.Error(w)
				}
				for _, l := range c.log {
					t.Log(l)
				}
				t.Log(c.Mesh)
			}
		})
	}
}
