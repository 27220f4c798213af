//go:build unix

package otsim_test

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

// changed is what the network of the tests becomes: another key, PAN ID, mesh-local prefix and name.
var changed = thread.Network{
	Key: [16]byte{0x0f, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 0x00}, PANID: 0xabcd, Name: "changed",
	MeshLocalPrefix: netip.MustParsePrefix("fd00:db9::/64"),
}

// keyOf returns the network key of a peer, by the word of 2018 or that of today.
func keyOf(p *otsim.Process) string {
	for _, word := range []string{"masterkey", "networkkey"} {
		if lines, err := p.TryCommand("%s", word); err == nil && len(lines) > 0 {
			return lines[len(lines)-1]
		}
	}
	return ""
}

func (n processNode) last(command string) string {
	lines := n.Command("%s", command)
	return lines[len(lines)-1]
}

// has reports whether a node is in the changed network.
func has(n mixedNode) bool {
	switch n := n.(type) {
	case *engineNode:
		w := n.Network()
		return w.Key == changed.Key && w.PANID == changed.PANID && w.Name == changed.Name && w.MeshLocalPrefix == changed.MeshLocalPrefix
	case processNode:
		return keyOf(n.Process) == hex.EncodeToString(changed.Key[:]) && strings.TrimPrefix(n.last("panid"), "0x") == "abcd" &&
			n.last("networkname") == "changed" && strings.Contains(strings.Join(n.Command("ipaddr"), " "), "fd00:db9:")
	}
	return false
}

// request makes a peer, as the commissioner, ask the leader for the changed network.
func (n processNode) request(t *testing.T, c *otsim.Controller) {
	t.Helper()
	n.Command("commissioner start")
	c.Run(10 * time.Second)
	d := meshcop.Dataset{
		Present: meshcop.HasActiveTimestamp | meshcop.HasPendingTimestamp | meshcop.HasDelayTimer | meshcop.HasMeshLocalPrefix |
			meshcop.HasNetworkMasterKey | meshcop.HasNetworkName | meshcop.HasPANID,
		ActiveTimestamp: meshcop.Timestamp{Seconds: 70}, PendingTimestamp: meshcop.Timestamp{Seconds: 10}, DelayTimer: 10 * time.Second,
		MeshLocalPrefix: changed.MeshLocalPrefix, NetworkMasterKey: meshcop.Key(changed.Key), NetworkName: changed.Name, PANID: changed.PANID,
	}
	tlvs, err := d.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"binary", "-x"} { // of 2018, of today
		if _, err = n.TryCommand("dataset mgmtsetcommand pending %s %x", word, tlvs); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// TestMixedDataset: either side asks for another network, key included, with either side as the leader, and all nodes have it after the delay:
// none is lost.
func TestMixedDataset(t *testing.T) {
	for _, tt := range []struct {
		order string
		asks  int
	}{
		{"oro", 1}, {"oro", 2}, {"ror", 1}, {"ror", 2}, {"oor", 0}, {"rro", 0},
	} {
		t.Run(tt.order+" by "+string(rune('1'+tt.asks)), func(t *testing.T) {
			c, nodes := mixed(t, tt.order)
			c.Run(60 * time.Second)
			switch n := nodes[tt.asks].(type) {
			case *engineNode:
				w := n.Network()
				w.Key, w.PANID, w.Name, w.MeshLocalPrefix = changed.Key, changed.PANID, changed.Name, changed.MeshLocalPrefix
				if err := n.ChangeNetwork(c.Now(), w, 0); err != nil {
					t.Fatal(err)
				}
			case processNode:
				n.request(t, c)
			}
			c.Run(250 * time.Second)
			for i, n := range nodes {
				if has(n) {
					t.Errorf("node %d has changed too early", i+1)
				}
			}
			c.Run(150 * time.Second)
			leaders := 0
			for i, n := range nodes {
				if !has(n) {
					t.Errorf("node %d has not changed", i+1)
				}
				switch s := n.state(); s {
				case "leader":
					leaders++
				case "router":
				default:
					t.Errorf("node %d is %s", i+1, s)
				}
			}
			if leaders != 1 {
				t.Errorf("%d leaders", leaders)
			}
			for i, a := range nodes {
				for k, b := range nodes {
					// The first question where an address is may find a node that has yet to learn of the change.
					if to := eidOf(b); i != k && !a.ping(to, 8) && !a.ping(to, 9) {
						t.Errorf("node %d has no reply from node %d", i+1, k+1)
					}
				}
			}
		})
	}
}

// eidOf is a node's mesh-local EID in the changed network.
func eidOf(n mixedNode) netip.Addr {
	if p, ok := n.(processNode); ok {
		for _, s := range p.Command("ipaddr") {
			if a, err := netip.ParseAddr(s); err == nil && changed.MeshLocalPrefix.Contains(a) && !strings.Contains(s, "ff:fe00:") {
				return a
			}
		}
	}
	return n.eid()
}

// TestMixedRegistration: one that comes with a newer dataset than the leader of the other kind has tells it, and all have it then.
func TestMixedRegistration(t *testing.T) {
	t.Run("ours comes", func(t *testing.T) {
		c := otsim.NewController(t)
		c.Program()
		m := makers(t, c)
		leader := m['r'](1).(processNode)
		await(t, c, leader, 60*time.Second, "leader")
		n := m['o'](2).(*engineNode)
		await(t, c, n, 60*time.Second, "child", "router")
		c.Run(5 * time.Second)
		d, ok := n.Console().Dataset(false)
		if !ok {
			t.Fatal("no dataset")
		}
		d.ActiveTimestamp.Seconds += 1000
		d.NetworkName = "newer"
		if err := n.Console().SetDataset(c.Now(), false, d); err != nil {
			t.Fatal(err)
		}
		c.Run(30 * time.Second)
		if leader.last("networkname") != "newer" || n.Network().Name != "newer" {
			t.Errorf("%s, %s", leader.last("networkname"), n.Network().Name)
		}
	})
	t.Run("theirs comes", func(t *testing.T) {
		c := otsim.NewController(t)
		c.Program()
		m := makers(t, c)
		leader := m['o'](1).(*engineNode)
		await(t, c, leader, 60*time.Second, "leader")
		n := m['r'](2).(processNode)
		await(t, c, n, 60*time.Second, "child", "router")
		c.Run(5 * time.Second)
		for _, line := range []string{"dataset clear", "dataset activetimestamp 1000", "dataset networkname newer", "dataset commit active"} {
			n.Command("%s", line)
		}
		c.Run(30 * time.Second)
		if leader.Network().Name != "newer" || n.last("networkname") != "newer" {
			t.Errorf("%s, %s", leader.Network().Name, n.last("networkname"))
		}
	})
}

// TestMixedCommissioner: either side is the commissioner of the other's leader, until it resigns.
func TestMixedCommissioner(t *testing.T) {
	for _, order := range []string{"or", "ro"} {
		t.Run(order, func(t *testing.T) {
			c, nodes := mixed(t, order)
			n := nodes[1]
			aloc := func() bool {
				switch n := n.(type) {
				case *engineNode:
					for _, a := range n.Addresses() {
						if strings.Contains(a.StringExpanded(), ":00ff:fe00:fc3") {
							return true
						}
					}
				case processNode:
					return strings.Contains(strings.Join(n.Command("ipaddr"), " "), ":ff:fe00:fc3")
				}
				return false
			}
			command := func(line string, ours func(*engineNode) error) {
				switch n := n.(type) {
				case *engineNode:
					if err := ours(n); err != nil {
						t.Fatal(err)
					}
				case processNode:
					n.Command("%s", line)
				}
				c.Run(10 * time.Second)
			}
			command("commissioner start", func(e *engineNode) error { return e.Console().StartCommissioner(c.Now()) })
			if !aloc() {
				t.Fatal("it is not the commissioner")
			}
			if c.Run(3 * time.Minute); !aloc() {
				t.Error("it has not kept the role")
			}
			command("commissioner stop", func(e *engineNode) error { return e.Console().StopCommissioner(c.Now()) })
			if aloc() {
				t.Error("it has not resigned")
			}
		})
	}
}
