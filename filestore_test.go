package pymesh_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/internal/filestore"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

func openStore(t *testing.T, path string) *pymesh.FileStore {
	t.Helper()
	store, err := pymesh.OpenFileStore(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// A cut store keeps what it has from some moment on, as that of a node which loses power.
type cutStore struct {
	*pymesh.FileStore
	off bool
}

func (s *cutStore) Save(settings pymesh.Settings) error {
	if s.off {
		return errBroken
	}
	return s.FileStore.Save(settings)
}

// resident is a node that is started again and again at its place, with its store.
type resident struct {
	*mesh
	radio   *lorasim.Radio
	path    string
	options []pymesh.Option

	node    *pymesh.Node
	store   *cutStore
	capture bytes.Buffer
	next    [2]uint32 // frame counters of MAC and MLE that were not used yet
}

func (r *resident) boot() {
	r.Helper()
	r.store = &cutStore{FileStore: openStore(r.T, r.path)}
	r.capture.Reset()
	r.node = r.start(r.radio, append([]pymesh.Option{pymesh.WithStore(r.store), pymesh.WithCapture(&r.capture)}, r.options...)...)
}

// down ends the node, with a farewell to its store or without. Its frame counters must be above those of the life before.
func (r *resident) down(crash bool) {
	r.Helper()
	r.store.off = crash
	mac := r.node.MAC()
	if err := r.node.Close(); err != nil {
		r.Fatal(err)
	}
	r.store.Close()
	life := countersOf(r.T, mac, r.capture.Bytes())
	if life.macLow < r.next[0] || life.mleLow < r.next[1] {
		r.Errorf("frame counters %+v, those before %d are used", life, r.next)
	}
	if life.macLow <= life.macHigh { // there are some
		r.next[0] = life.macHigh + 1
	}
	if life.mleLow <= life.mleHigh {
		r.next[1] = life.mleHigh + 1
	}
}

// children are the RLOC16s of a node's children.
func children(n *pymesh.Node) (list []pymesh.RLOC16) {
	for _, o := range n.Neighbors() {
		if o.RLOC16&0x1ff != 0 && o.RLOC16&0xfc00 == n.RLOC16()&0xfc00 {
			list = append(list, o.RLOC16)
		}
	}
	slices.Sort(list)
	return list
}

// TestFileStoreRestart: a node that is made again with its file is what it was, after a farewell and after a loss of power: leader, router
// and child alike, with RLOC16, addresses and children, and none of the others notices but by a gap (Thread 1.1 §4.7.7).
func TestFileStoreRestart(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		dir := t.TempDir()
		at := func(x float64, options ...pymesh.Option) *resident {
			r := &resident{mesh: m, radio: m.air.Radio(lora.Config{}, lorasim.Position{X: x}), options: options}
			r.path = filepath.Join(dir, string('a'+rune(len(m.radios))))
			m.radios = append(m.radios, r.radio)
			r.boot()
			return r
		}
		role := func(r *resident, s pymesh.State) {
			t.Helper()
			m.until(20*time.Minute, s.String(), func() bool { return r.node.State() == s })
		}
		leader := at(0)
		role(leader, pymesh.StateLeader)
		router := at(600)
		role(router, pymesh.StateRouter)
		child := at(1200, pymesh.WithMode(pymesh.EndDevice))
		role(child, pymesh.StateChild)
		if len(children(router.node)) != 1 {
			t.Fatalf("the test is wrong: children of the router %x, of the leader %x", children(router.node), children(leader.node))
		}
		time.Sleep(10 * time.Minute)
		for _, crash := range []bool{false, true} {
			for _, r := range []*resident{child, router, leader} {
				state, rloc, addrs, eid, kids := r.node.State(), r.node.RLOC16(), r.node.IPAddrs(), r.node.MeshLocalEID(), children(r.node)
				partition, _ := r.node.Leader()
				r.down(crash)
				time.Sleep(20 * time.Second)
				r.boot()
				began := time.Now()
				m.until(time.Minute, state.String()+" again", func() bool { return r.node.State() == state })
				took := time.Since(began)
				if took > 20*time.Second {
					t.Errorf("%v again after %v: it has searched", state, took)
				}
				time.Sleep(time.Minute)
				now, _ := r.node.Leader()
				if r.node.RLOC16() != rloc || !slices.Equal(r.node.IPAddrs(), addrs) || !slices.Equal(children(r.node), kids) ||
					now.PartitionID != partition.PartitionID || r.node.State() != state {
					t.Errorf("%v 0x%04x %v with children %x in %x\nwas %v 0x%04x %v with children %x in %x", r.node.State(), r.node.RLOC16(),
						r.node.IPAddrs(), children(r.node), now.PartitionID, state, rloc, addrs, kids, partition.PartitionID)
				}
				for _, other := range []*resident{child, router, leader} {
					if other != r {
						m.ping(r.node, other.node.MeshLocalEID(), 8)
						m.ping(other.node, eid, 8)
					}
				}
			}
		}
	})
}

// TestFileStoreInUse: two nodes do not share a store, and a node that has ended gives it back.
func TestFileStoreInUse(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		path := filepath.Join(t.TempDir(), "node.store")
		store := openStore(t, path)
		if _, err := pymesh.OpenFileStore(path); !errors.Is(err, pymesh.ErrStoreInUse) {
			t.Errorf("opened twice: %v", err)
		}
		for range 3 {
			n := m.start(m.radio(), pymesh.WithStore(store))
			if _, err := pymesh.New(m.radio(), pymesh.WithStore(store)); !errors.Is(err, pymesh.ErrStoreInUse) {
				t.Errorf("two nodes: %v", err)
			}
			if _, err := pymesh.New(m.radio(), pymesh.WithStore(store), pymesh.WithCapture(&halfWriter{})); err == nil {
				t.Error("two nodes, one of which fails")
			}
			n.Close()
			// A node that is not made gives it back, too.
			if _, err := pymesh.New(m.radio(), pymesh.WithStore(store), pymesh.WithCapture(&halfWriter{})); !errors.Is(err, errBroken) {
				t.Errorf("%v", err)
			}
		}
		store.Close()
		if _, err := pymesh.New(m.radio(), pymesh.WithStore(store)); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("closed store: %v", err)
		}
	})
}

// TestFileStoreFull: a node whose store cannot be written any more goes on until what was stored ahead is used up, and then is silent
// rather than to use a frame counter that is not stored.
func TestFileStoreFull(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		r := &resident{mesh: m, radio: m.radio(), path: filepath.Join(t.TempDir(), "node.store")}
		r.boot()
		m.wait(r.node)
		c := m.listen(r.node, "[::]:1234")
		r.store.off = true
		to := netip.MustParseAddrPort("[ff02::1]:1234")
		for range 1100 {
			m.send(c, "x", to)
			time.Sleep(time.Second)
		}
		settings, _, err := r.store.Load()
		if err != nil {
			t.Fatal(err)
		}
		b, err := settings.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		stored, err := filestore.ParseSettings(b)
		if err != nil {
			t.Fatal(err)
		}
		life := countersOf(t, r.node.MAC(), r.capture.Bytes())
		if life.macHigh >= stored.MACFrameCounter || life.mleHigh >= stored.MLEFrameCounter || life.macHigh < stored.MACFrameCounter-100 {
			t.Errorf("used %+v, stored %d and %d", life, stored.MACFrameCounter, stored.MLEFrameCounter)
		}
		if r.node.Counters()["StoreFailed"] == 0 {
			t.Error("no failure counted")
		}
		r.down(true)
		r.boot()
		m.wait(r.node)
		r.down(false)
	})
}

// TestFileStoreErrors: what New and OpenFileStore say about files that they refuse.
func TestFileStoreErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.store")
	if _, err := pymesh.OpenFileStore(filepath.Join(path, "no", "node.store")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pymesh.OpenFileStore(path); !errors.Is(err, pymesh.ErrStoreDamaged) {
		t.Errorf("%v", err)
	}
	if _, err := pymesh.RecoverFileStore(path); !errors.Is(err, pymesh.ErrStoreDamaged) {
		t.Errorf("%v", err)
	}
}
