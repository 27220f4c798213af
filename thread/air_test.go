package thread_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
)

var update = flag.Bool("update", false, "rewrite the files below testdata")

// airs are meshes whose every packet is compared, by hash, with the one in testdata/air.txt: what is meant to change no behavior
// must not move a bit of them, nor a packet by a nanosecond.
var airs = []struct {
	name string
	run  func(t *testing.T, air *bytes.Buffer)
}{
	{"lora-scatter", func(t *testing.T, air *bytes.Buffer) {
		m := meshtest.Scatter(t, lorasim.Options{Seed: 5, Loss: 0.05, Capture: air}, 8, nil)
		m.StartEach(time.Second)
		m.Run(10 * time.Minute)
		pingRound(m, 80, 15*time.Second)
		m.Nodes[2].Restart()
		m.Run(5 * time.Minute)
		pingRound(m, 10, 15*time.Second)
	}},
	{"lora-chain", func(t *testing.T, air *bytes.Buffer) {
		m := meshtest.Chain(t, lorasim.Options{Seed: 6, Capture: air}, 4, nil)
		m.StartEach(3 * time.Second)
		m.Run(15 * time.Minute)
		m.Nodes[0].Ping(m.Nodes[3].MeshLocalEID(), 600, time.Minute)
		m.Nodes[3].Ping(ip6.RealmLocalAllNodes, 20, time.Minute)
		for _, n := range m.Nodes {
			if n.Role() == thread.RoleLeader {
				n.PowerOff()
				break
			}
		}
		m.Run(15 * time.Minute)
	}},
	{"lora-minimal", func(t *testing.T, air *bytes.Buffer) {
		m := meshtest.New(t, lorasim.Options{Seed: 7, Capture: air})
		for i := range 5 {
			m.Add(7, lorasim.Position{X: float64(300 * i)}, func(c *thread.Config) {
				if i == 4 {
					c.Mode = thread.ModeMinimalEndDevice
				}
				c.EndDevice = i == 3
			})
		}
		m.StartEach(time.Second)
		m.Run(20 * time.Minute)
		pingRound(m, 120, 30*time.Second)
		m.Nodes[4].Restart()
		m.Run(10 * time.Minute)
	}},
	{"stock-32", func(t *testing.T, air *bytes.Buffer) {
		opt := ideal()
		opt.Capture = air
		m := meshtest.New(t, opt)
		for range 32 {
			m.Add(8, lorasim.Position{}, stock)
		}
		m.StartEach(0)
		m.Run(20 * time.Minute)
		pingRound(m, 300, 5*time.Second)
		if err := m.Nodes[1].Console().SetKeySequence(m.Sim.Now(), 1); err != nil {
			t.Fatal(err)
		}
		m.Nodes[1].Antenna.Touch()
		m.Run(10 * time.Minute)
		pingRound(m, 8, 5*time.Second)
	}},
	{"stock-commands", func(t *testing.T, air *bytes.Buffer) {
		m := meshtest.Chain(t, lorasim.Options{Seed: 9, PHY: lorasim.IEEE802154, Capture: air}, 5, stock)
		m.StartEach(0)
		m.Run(10 * time.Minute)
		for i, n := range m.Nodes {
			now := m.Sim.Now()
			switch i {
			case 0:
				n.Console().SetRouterRole(now, false)
			case 1:
				if err := n.Console().SetMode(now, thread.ModeMinimalEndDevice); err != nil {
					t.Fatal(err)
				}
			case 3:
				n.Console().SetChildTimeout(now, 100*time.Second)
			case 4:
				_ = n.Console().BecomeLeader(now)
			}
			n.Antenna.Touch()
			m.Run(2 * time.Minute)
			pingRound(m, 40, 5*time.Second)
		}
	}},
	{"lora-seeds", func(t *testing.T, air *bytes.Buffer) {
		for seed := range uint64(12) {
			m := meshtest.Scatter(t, lorasim.Options{Seed: seed, Loss: 0.1, Capture: air}, 5+int(seed%6), func(c *thread.Config) {
				c.EndDevice = seed%4 == 1 && c.ExtAddr[7]%3 == 0
				if seed%4 == 2 && c.ExtAddr[7]%4 == 0 {
					c.Mode = thread.ModeMinimalEndDevice
				}
			})
			m.StartEach(time.Duration(seed) * time.Second)
			m.Run(15 * time.Minute)
			for i, n := range m.Nodes {
				switch (i + int(seed)) % 4 {
				case 0:
					n.Restart()
				case 1:
					n.Stop()
				}
				m.Run(20 * time.Second)
				pingRound(m, 30*i, 10*time.Second)
			}
			m.Run(10 * time.Minute)
			for _, n := range m.Nodes {
				n.Start()
			}
			m.Run(10 * time.Minute)
			pingRound(m, 50, 10*time.Second)
		}
	}},
	{"stock-200", func(t *testing.T, air *bytes.Buffer) {
		opt := ideal()
		opt.Capture = air
		m := meshtest.New(t, opt)
		for range 200 {
			m.Add(10, lorasim.Position{}, stock)
		}
		m.StartEach(0)
		m.Run(4 * time.Minute)
	}},
}

func TestAir(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the hashes are those of amd64: other processors round the simulated radio's figures differently")
	}
	const file = "testdata/air.txt"
	want := map[string]string{}
	if data, err := os.ReadFile(file); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, hash, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				want[name] = hash
			}
		}
	}
	var out strings.Builder
	for _, a := range airs {
		t.Run(a.name, func(t *testing.T) {
			var air bytes.Buffer
			a.run(t, &air)
			sum := sha256.Sum256(air.Bytes())
			got := hex.EncodeToString(sum[:])
			fmt.Fprintf(&out, "%s %s\n", a.name, got)
			if !*update && got != want[a.name] {
				t.Errorf("%d bytes on the air with hash %s, want %s. If they were meant to change: go test ./thread -run TestAir -update",
					air.Len(), got, want[a.name])
				if dir := os.Getenv("PYMESH_AIR"); dir != "" {
					_ = os.WriteFile(dir+"/"+a.name+".pcap", air.Bytes(), 0o644)
				}
			}
		})
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// pingRound lets each attached node ping another one, whether an answer comes or not.
func pingRound(m *meshtest.Mesh, size int, limit time.Duration) {
	for i, n := range m.Nodes {
		if n.Role() >= thread.RoleChild {
			n.Ping(m.Nodes[(i+2)%len(m.Nodes)].MeshLocalEID(), size, limit)
		}
	}
}
