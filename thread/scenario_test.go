package thread_test

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// scenarios are meshes whose transcripts are compared with those in testdata/scenarios, to be read when they change.
var scenarios = []struct {
	name  string
	about string
	lora  bool // depends on the signal strengths of a simulated LoRa radio
	run   func(t *testing.T) *transcript
}{
	{
		name:  "attach",
		about: "The first node finds nobody and leads; the second, which does not want to route, becomes its child.",
		run: func(t *testing.T) *transcript {
			tr := transcribeRow(t, ideal(), 2, func(i int, c *thread.Config) { stock(c); c.EndDevice = i == 2 })
			tr.start(1, 5*time.Second)
			tr.start(2, 20*time.Second)
			tr.ping(2, 1, 10)
			return tr
		},
	}, {
		name:  "router-upgrade",
		about: "A child asks the leader for a router ID, within two minutes: there are fewer routers than 16. Then it links to the leader.",
		run: func(t *testing.T) *transcript {
			tr := transcribeRow(t, ideal(), 2, func(_ int, c *thread.Config) { stock(c) })
			tr.skip(func() {
				tr.Nodes[0].Start()
				tr.Run(10 * time.Second)
			})
			tr.start(2, 150*time.Second)
			return tr
		},
	}, {
		name:  "two-hops",
		about: "Three nodes in a row. The one in the middle becomes a router as soon as the third one wants to be its child.",
		run: func(t *testing.T) *transcript {
			tr := transcribeRow(t, ideal(), 3, func(i int, c *thread.Config) { stock(c); c.EndDevice = i == 3; c.RouterUpgradeThreshold = 1 })
			tr.start(1, 10*time.Second)
			tr.start(2, 10*time.Second)
			tr.start(3, 20*time.Second)
			tr.ping(3, 1, 10)
			tr.ping(1, 3, 200)
			return tr
		},
	}, {
		name:  "leader-lost",
		about: "Three routers in one room. The leader is gone; two minutes later the others look for another way into its partition, and then found one.",
		run: func(t *testing.T) *transcript {
			tr := transcribeRoom(t, ideal(), 3, func(_ int, c *thread.Config) { stock(c) })
			tr.skip(tr.StartOneByOne)
			tr.say("1, the leader, loses its power.")
			tr.Nodes[0].PowerOff()
			tr.Run(5 * time.Minute)
			return tr
		},
	}, {
		name:  "merge",
		about: "Two routers here and two there, which do not hear each other, until they do: those of the worse partition leave it.",
		run: func(t *testing.T) *transcript {
			tr := transcribeRoom(t, ideal(), 4, func(_ int, c *thread.Config) { stock(c) })
			tr.skip(func() {
				tr.Sim.Partition(endpoints(tr.Nodes[:2]...), endpoints(tr.Nodes[2:]...))
				for _, n := range tr.Nodes {
					n.Start()
					tr.Until(3*time.Minute, "router", func() bool { return n.Role() >= thread.RoleRouter })
				}
				tr.Run(time.Minute)
			})
			tr.say("All hear each other.")
			tr.Sim.Heal()
			tr.Until(5*time.Minute, "one mesh of routers", func() bool { return tr.OneMesh() && tr.Count(thread.RoleRouter) == 3 })
			tr.Run(30 * time.Second)
			return tr
		},
	}, {
		name:  "address-query",
		about: "Three routers in a row. The first looks for where an address is, once.",
		run: func(t *testing.T) *transcript {
			tr := transcribeRow(t, ideal(), 3, func(_ int, c *thread.Config) { stock(c) })
			tr.skip(tr.StartOneByOne)
			tr.ping(1, 3, 10)
			tr.ping(1, 3, 10)
			tr.say("1 pings an address that nobody has, twice.")
			nobody := ip6.WithInterfaceID(thread.DefaultMeshLocalPrefix, ip6.InterfaceID{1, 2, 3})
			tr.Nodes[0].Ping(nobody, 10, 10*time.Second)
			tr.Nodes[0].Ping(nobody, 10, 5*time.Second)
			return tr
		},
	}, {
		name:  "key-switch",
		about: "Three routers in a row. One of them moves on to the next key sequence, and takes the others along by what it sends.",
		run: func(t *testing.T) *transcript {
			tr := transcribeRow(t, ideal(), 3, func(_ int, c *thread.Config) { stock(c) })
			tr.skip(func() {
				tr.StartOneByOne()
				tr.Nodes[2].Ping(tr.Nodes[0].MeshLocalEID(), 10, time.Second)
			})
			tr.say("3 is told to use key sequence 1.")
			tr.keySequence(3, 1)
			tr.ping(3, 1, 10)
			tr.say("3 is told to use key sequence 2, which is too early for the others to follow.")
			tr.keySequence(3, 2)
			tr.ping(3, 1, 10)
			tr.Run(time.Minute)
			return tr
		},
	}, {
		name:  "restart-child",
		about: "A child restarts, and is a child again by one exchange with its parent.",
		run: func(t *testing.T) *transcript {
			tr := transcribeRow(t, ideal(), 2, func(i int, c *thread.Config) { stock(c); c.EndDevice = i == 2 })
			tr.skip(func() { tr.StartEach(10 * time.Second) })
			tr.restart(2, 20*time.Second)
			return tr
		},
	}, {
		name:  "restart-router",
		about: "Three routers in a row, and a child of the last. That router restarts, and takes up its place.",
		run: func(t *testing.T) *transcript {
			tr := transcribeRow(t, ideal(), 4, func(i int, c *thread.Config) { stock(c); c.EndDevice = i == 4 })
			tr.skip(func() {
				for i, n := range tr.Nodes {
					n.Start()
					tr.Until(3*time.Minute, "settled", func() bool { return n.Role() >= thread.RoleRouter || i == 3 && n.Role() == thread.RoleChild })
				}
				tr.Run(time.Minute)
			})
			tr.restart(3, 20*time.Second)
			return tr
		},
	}, {
		name:  "restart-leader",
		about: "Three routers in a row. The leader restarts, and leads on.",
		run: func(t *testing.T) *transcript {
			tr := transcribeRow(t, ideal(), 3, func(_ int, c *thread.Config) { stock(c) })
			tr.skip(tr.StartOneByOne)
			tr.restart(1, 20*time.Second)
			return tr
		},
	}, {
		name:  "busy-cell",
		about: "Five nodes in one LoRa cell, all started at once on Pymesh's timing, one packet of 20 lost. Later each pings the next, all at once.",
		lora:  true,
		run: func(t *testing.T) *transcript {
			tr := transcribeRoom(t, lorasim.Options{Seed: 2, Loss: 0.05}, 5, nil)
			tr.say("All start.")
			tr.StartEach(0)
			tr.Until(10*time.Minute, "one mesh", tr.OneMesh)
			tr.Run(2 * time.Minute)
			tr.say("Each pings the next.")
			for i, n := range tr.Nodes {
				n.Ping(tr.Nodes[(i+1)%len(tr.Nodes)].MeshLocalEID(), 20, 0)
			}
			tr.Run(time.Minute)
			return tr
		},
	}, {
		name:  "minimal-end-device",
		about: "A minimal end device registers its addresses with its parent, which answers queries for it, and keeps its place alive until the parent is gone.",
		run: func(t *testing.T) *transcript {
			tr := transcribeRow(t, ideal(), 3, func(i int, c *thread.Config) {
				stock(c)
				if i == 3 {
					c.Mode, c.Timing.ChildTimeout = thread.ModeMinimalEndDevice, 20*time.Second
				}
			})
			tr.skip(func() {
				for _, n := range tr.Nodes[:2] {
					n.Start()
					tr.Until(3*time.Minute, "router", func() bool { return n.Role() >= thread.RoleRouter })
				}
				tr.Run(time.Minute)
			})
			tr.start(3, 40*time.Second)
			tr.ping(1, 3, 10)
			tr.say("2, the parent, loses its power.")
			tr.Nodes[1].PowerOff()
			tr.Run(40 * time.Second)
			return tr
		},
	}, {
		name:  "detach",
		about: "A router leaves its partition when it is told to, and comes back as a child and as the router that it was.",
		run: func(t *testing.T) *transcript {
			tr := transcribeRow(t, ideal(), 2, func(_ int, c *thread.Config) { stock(c) })
			tr.skip(tr.StartOneByOne)
			tr.say("2 is told to detach.")
			n := tr.Nodes[1]
			if err := n.Console().BecomeDetached(tr.Sim.Now()); err != nil {
				t.Fatal(err)
			}
			n.Antenna.Touch()
			tr.Until(5*time.Minute, "router", func() bool { return n.Role() == thread.RoleRouter })
			tr.Run(10 * time.Second)
			return tr
		},
	},
}

// TestScenarios compares message by message, change by change.
func TestScenarios(t *testing.T) {
	files := must(os.ReadDir("testdata/scenarios"))
	if len(files) != len(scenarios) && !*update {
		t.Errorf("%d files in testdata/scenarios for %d scenarios", len(files), len(scenarios))
	}
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			if sc.lora && runtime.GOARCH != "amd64" {
				t.Skip("the transcript is that of amd64: other processors round the simulated radio's figures differently")
			}
			tr := sc.run(t)
			got := tr.text(sc.about)
			file := "testdata/scenarios/" + sc.name + ".txt"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the transcript is not that of %s. If it was meant to change: go test ./thread -run TestScenarios -update, and review the difference.\n%s",
					file, firstDifference(string(want), got))
			}
		})
	}
}

// transcribeRow is [meshtest.Chain] with a transcript; change gets the number of the node, from 1.
func transcribeRow(t *testing.T, opt lorasim.Options, n int, change func(int, *thread.Config)) *transcript {
	return newTranscript(t, opt, func(opt lorasim.Options) *meshtest.Mesh {
		i := 0
		return meshtest.Chain(t, opt, n, func(c *thread.Config) { i++; change(i, c) })
	})
}

// transcribeRoom is for nodes that all hear each other.
func transcribeRoom(t *testing.T, opt lorasim.Options, n int, change func(int, *thread.Config)) *transcript {
	return newTranscript(t, opt, func(opt lorasim.Options) *meshtest.Mesh {
		m := meshtest.New(t, opt)
		for i := range n {
			m.Add(opt.Seed, lorasim.Position{X: 10 * float64(i)}, func(c *thread.Config) {
				if change != nil {
					change(i+1, c)
				}
			})
		}
		return m
	})
}
