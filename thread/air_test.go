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
		m := scatter(t, lorasim.Options{Seed: 5, Loss: 0.05, Capture: air}, 8, nil)
		m.startEach(time.Second)
		m.run(10 * time.Minute)
		m.pingRound(80, 15*time.Second)
		m.nodes[2].restart()
		m.run(5 * time.Minute)
		m.pingRound(10, 15*time.Second)
	}},
	{"lora-chain", func(t *testing.T, air *bytes.Buffer) {
		m := chain(t, lorasim.Options{Seed: 6, Capture: air}, 4, nil)
		m.startEach(3 * time.Second)
		m.run(15 * time.Minute)
		m.nodes[0].ping(m.nodes[3].MeshLocalEID(), 600, time.Minute)
		m.nodes[3].ping(ip6.RealmLocalAllNodes, 20, time.Minute)
		for _, n := range m.nodes {
			if n.Role() == thread.RoleLeader {
				n.antenna.SetStation(nil)
				break
			}
		}
		m.run(15 * time.Minute)
	}},
	{"lora-minimal", func(t *testing.T, air *bytes.Buffer) {
		m := newMesh(t, lorasim.Options{Seed: 7, Capture: air})
		for i := range 5 {
			m.add(7, lorasim.Position{X: float64(300 * i)}, func(c *thread.Config) {
				if i == 4 {
					c.Mode = thread.ModeMinimalEndDevice
				}
				c.EndDevice = i == 3
			})
		}
		m.startEach(time.Second)
		m.run(20 * time.Minute)
		m.pingRound(120, 30*time.Second)
		m.nodes[4].restart()
		m.run(10 * time.Minute)
	}},
	{"stock-32", func(t *testing.T, air *bytes.Buffer) {
		opt := ideal()
		opt.Capture = air
		m := newMesh(t, opt)
		for range 32 {
			m.add(8, lorasim.Position{}, stock)
		}
		m.startEach(0)
		m.run(20 * time.Minute)
		m.pingRound(300, 5*time.Second)
		if err := m.nodes[1].Console().SetKeySequence(m.sim.Now(), 1); err != nil {
			t.Fatal(err)
		}
		m.nodes[1].antenna.Touch()
		m.run(10 * time.Minute)
		m.pingRound(8, 5*time.Second)
	}},
	{"stock-commands", func(t *testing.T, air *bytes.Buffer) {
		m := chain(t, lorasim.Options{Seed: 9, PHY: lorasim.IEEE802154, Capture: air}, 5, stock)
		m.startEach(0)
		m.run(10 * time.Minute)
		for i, n := range m.nodes {
			now := m.sim.Now()
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
			n.antenna.Touch()
			m.run(2 * time.Minute)
			m.pingRound(40, 5*time.Second)
		}
	}},
	{"lora-seeds", func(t *testing.T, air *bytes.Buffer) {
		for seed := range uint64(12) {
			m := scatter(t, lorasim.Options{Seed: seed, Loss: 0.1, Capture: air}, 5+int(seed%6), func(c *thread.Config) {
				c.EndDevice = seed%4 == 1 && c.ExtAddr[7]%3 == 0
				if seed%4 == 2 && c.ExtAddr[7]%4 == 0 {
					c.Mode = thread.ModeMinimalEndDevice
				}
			})
			m.startEach(time.Duration(seed) * time.Second)
			m.run(15 * time.Minute)
			for i, n := range m.nodes {
				switch (i + int(seed)) % 4 {
				case 0:
					n.restart()
				case 1:
					n.Stop(m.sim.Now())
					n.antenna.Touch()
				}
				m.run(20 * time.Second)
				m.pingRound(30*i, 10*time.Second)
			}
			m.run(10 * time.Minute)
			for _, n := range m.nodes {
				n.start()
			}
			m.run(10 * time.Minute)
			m.pingRound(50, 10*time.Second)
		}
	}},
	{"stock-200", func(t *testing.T, air *bytes.Buffer) {
		opt := ideal()
		opt.Capture = air
		m := newMesh(t, opt)
		for range 200 {
			m.add(10, lorasim.Position{}, stock)
		}
		m.startEach(0)
		m.run(4 * time.Minute)
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

// startEach starts all nodes, one after the other.
func (m *mesh) startEach(pause time.Duration) {
	for _, n := range m.nodes {
		n.start()
		m.run(pause)
	}
}

// pingRound lets each attached node ping another one, whether an answer comes or not.
func (m *mesh) pingRound(size int, limit time.Duration) {
	for i, n := range m.nodes {
		if n.Role() >= thread.RoleChild {
			n.ping(m.nodes[(i+2)%len(m.nodes)].MeshLocalEID(), size, limit)
		}
	}
}
