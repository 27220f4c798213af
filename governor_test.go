package pymesh_test

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// TestGovernedMesh floods a mesh with far more than the European duty cycle of 1 % allows: the mesh stays together, some of the
// datagrams arrive all the time, and no node exceeds 36 s in any hour.
func TestGovernedMesh(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		var radios []*lorasim.Radio
		var governors []*lora.Governor
		var nodes []*pymesh.Node
		for i := range 4 {
			r := m.air.Radio(lora.Config{Frequency: 868_300 * lora.KHz}, lorasim.Position{X: float64(10 * i)})
			g := lora.Govern(r)
			radios, governors, nodes = append(radios, r), append(governors, g), append(nodes, m.start(g))
			m.wait(nodes[i])
		}
		time.Sleep(20 * time.Minute)
		sink := m.listen(nodes[3], "[::]:1234")
		dst := netip.AddrPortFrom(nodes[3].MeshLocalEID(), 1234)
		source := m.listen(nodes[0], "[::]:1235")
		var arrived atomic.Int64
		go func() {
			for buf := make([]byte, 200); ; arrived.Add(1) {
				if _, _, err := sink.ReadFrom(buf); err != nil {
					return
				}
			}
		}()
		var before [4]time.Duration
		for hour := range 3 {
			for i, r := range radios {
				before[i] = r.Stats().Airtime
			}
			arrived.Store(0)
			for end := time.Now().Add(time.Hour); time.Now().Before(end); time.Sleep(5 * time.Second) {
				source.WriteToUDPAddrPort(make([]byte, 100), dst)
				partition, _ := nodes[0].Leader()
				for _, n := range nodes {
					if l, ok := n.Leader(); !ok || l.PartitionID != partition.PartitionID {
						t.Fatalf("hour %d: %v has left the mesh", hour, n)
					}
				}
			}
			for i, r := range radios {
				if airtime := r.Stats().Airtime - before[i]; airtime > 36*time.Second {
					t.Errorf("hour %d: node %d was on the air for %v", hour, i, airtime)
				}
			}
			n := arrived.Load()
			t.Logf("hour %d: %d datagrams arrived; %v", hour, n, governors[0].Usage()[0])
			if n < 20 {
				t.Errorf("hour %d: %d datagrams arrived", hour, n)
			}
		}
	})
}
