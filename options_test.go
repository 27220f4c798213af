package pymesh_test

import (
	"bytes"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
)

// failingStore is a store on a medium that is broken.
type failingStore struct{ load, save error }

func (s failingStore) Load() (pymesh.Settings, bool, error) { return pymesh.Settings{}, false, s.load }
func (s failingStore) Save(pymesh.Settings) error           { return s.save }

// badWriter takes nothing.
type badWriter struct{}

func (badWriter) Write([]byte) (int, error) { return 0, errBroken }

var errBroken = errors.New("medium broken")

// TestOptionErrors tries what no option accepts. Each error begins with the name of the option.
func TestOptionErrors(t *testing.T) {
	tests := []struct {
		name   string
		want   string
		option pymesh.Option
	}{
		{"no key", "WithKey: the zero Key is none", pymesh.WithKey(pymesh.Key{})},
		{"MAC 0", "WithMAC: 0 is not an address", pymesh.WithMAC(0)},
		{"MAC without store", "WithMAC needs WithStore", pymesh.WithMAC(1)},
		{"PAN ID 0", "WithPANID: 0x0000 is not in 0x0001 to 0xfffe", pymesh.WithPANID(0)},
		{"broadcast PAN ID", "WithPANID: 0xffff is not in 0x0001 to 0xfffe", pymesh.WithPANID(0xffff)},
		{"no name", `WithNetworkName: "" has 0 bytes, need 1 to 16`, pymesh.WithNetworkName("")},
		{"long name", `WithNetworkName: "seventeen letters" has 17 bytes, need 1 to 16`, pymesh.WithNetworkName("seventeen letters")},
		{"extended PAN ID 0", "WithExtPANID: 0 is not an extended PAN ID", pymesh.WithExtPANID([8]byte{})},
		{"no prefix", "WithMeshLocalPrefix: invalid Prefix", pymesh.WithMeshLocalPrefix(netip.Prefix{})},
		{"prefix too short", "WithMeshLocalPrefix: fd00::/48 is not", pymesh.WithMeshLocalPrefix(netip.MustParsePrefix("fd00::/48"))},
		{"public prefix", "WithMeshLocalPrefix: 2001:db8::/64", pymesh.WithMeshLocalPrefix(netip.MustParsePrefix("2001:db8::/64"))},
		{"IPv4 prefix", "WithMeshLocalPrefix: 10.0.0.0/8", pymesh.WithMeshLocalPrefix(netip.MustParsePrefix("10.0.0.0/8"))},
		{"channel 0", "WithChannel: 0 is not in 11 to 26", pymesh.WithChannel(0)},
		{"channel 10", "WithChannel: 10 is not in 11 to 26", pymesh.WithChannel(10)},
		{"channel 27", "WithChannel: 27 is not in 11 to 26", pymesh.WithChannel(27)},
		{"zero timing", "WithTiming: the zero Timing", pymesh.WithTiming(pymesh.Timing{})},
		{"mode", "WithMode: 4 is not a mode", pymesh.WithMode(4)},
		{"poll period", "WithPollPeriod: 13h0m0s", pymesh.WithPollPeriod(13 * time.Hour)},
		{"no sockets", "WithMaxSockets: 0 is not positive", pymesh.WithMaxSockets(0)},
		{"randomness", "WithRand: medium broken", pymesh.WithRand(iotest.ErrReader(errBroken))},
		{"store that does not load", "WithStore: medium broken", pymesh.WithStore(failingStore{load: errBroken})},
		{"capture", "WithCapture: pcap: write header: medium broken", pymesh.WithCapture(badWriter{})},
	}
	radio := lorasim.NewAir(lorasim.Options{}).Radio(lora.Config{}, lorasim.Position{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := pymesh.New(radio, pymesh.WithKey(testKey), tt.option)
			if err == nil {
				n.Close()
				t.Fatal("no error")
			}
			if !strings.HasPrefix(err.Error(), "pymesh: "+tt.want) {
				t.Errorf("error %q, want pymesh: %s…", err, tt.want)
			}
		})
	}
}

func TestNewErrors(t *testing.T) {
	if n, err := pymesh.New(nil, pymesh.WithKey(testKey)); err == nil || n != nil {
		t.Errorf("without a radio: %v, %v", n, err)
	}
	air := lorasim.NewAir(lorasim.Options{})
	radio := air.Radio(lora.Config{SpreadingFactor: 13}, lorasim.Position{})
	if _, err := pymesh.New(radio, pymesh.WithKey(testKey)); err == nil || !strings.Contains(err.Error(), "13") {
		t.Errorf("with a radio of SF13: %v", err)
	}
	// A node that cannot remember its frame counters must not send.
	radio = air.Radio(lora.Config{}, lorasim.Position{})
	if _, err := pymesh.New(radio, pymesh.WithKey(testKey), pymesh.WithStore(failingStore{save: errBroken})); err == nil {
		t.Error("with a store that does not save: no error")
	}
}

// TestFirstErrorCounts: a good value after a bad one does not hide it.
func TestFirstErrorCounts(t *testing.T) {
	radio := lorasim.NewAir(lorasim.Options{}).Radio(lora.Config{}, lorasim.Position{})
	_, err := pymesh.New(radio, pymesh.WithChannel(1), pymesh.WithKey(pymesh.Key{}), pymesh.WithChannel(11))
	if err == nil || !strings.Contains(err.Error(), "WithChannel: 1 ") {
		t.Error(err)
	}
}

// TestKeyPadding: a short key is the one that is filled with zeros on the right, as documented: 112233 is 11223300000000….
func TestKeyPadding(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a := m.attached(pymesh.WithKey(pymesh.MustParseKey("112233")))
		b := m.attached(pymesh.WithKey(pymesh.MustParseKey("11223300000000000000000000000000")))
		stranger := m.attached(pymesh.WithKey(pymesh.MustParseKey("00112233")))
		if !sameMesh(a, b) {
			t.Errorf("the short key and the filled one are not the same")
		}
		if sameMesh(a, stranger) {
			t.Errorf("another key opens the mesh")
		}
	})
}

func sameMesh(a, b *pymesh.Node) bool {
	la, aok := a.Leader()
	lb, bok := b.Leader()
	return aok && bok && la.PartitionID == lb.PartitionID
}

// TestDefaultsWarn: the public default key is used, and the log says so, as it does where there is no store. No key ever stands in the log.
func TestDefaultsWarn(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		var quiet, loud bytes.Buffer
		logTo := func(b *bytes.Buffer) pymesh.Option {
			return pymesh.WithLogger(slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})))
		}
		given := m.attached(pymesh.WithKey(pymesh.DefaultKey()), pymesh.WithStore(new(pymesh.MemoryStore)), logTo(&quiet))
		none, err := pymesh.New(m.radio(), logTo(&loud))
		if err != nil {
			t.Fatal(err)
		}
		defer none.Close()
		m.wait(none)
		for range 600 { // it may have lost some answers, by chance, and founded a partition first
			if sameMesh(given, none) {
				break
			}
			time.Sleep(time.Second)
		}
		if !sameMesh(given, none) {
			t.Error("the default key was not used")
		}
		given.Close()
		none.Close()
		if n := strings.Count(loud.String(), "level=WARN"); n != 2 || !strings.Contains(loud.String(), "default key") ||
			!strings.Contains(loud.String(), "another node") {
			t.Errorf("%d warnings without key and store:\n%s", n, &loud)
		}
		if strings.Contains(quiet.String(), "WARN") {
			t.Errorf("warning although key and store were given:\n%s", &quiet)
		}
		for _, secret := range []string{"0134c0de", "c0de1ab5", "ca1a110f", "[1 52 192"} {
			if strings.Contains(strings.ToLower(loud.String()+quiet.String()), secret) {
				t.Errorf("the log tells the key: %s", secret)
			}
		}
	})
}

// TestWithLogger: role changes are Info.
func TestWithLogger(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		var log bytes.Buffer
		n := m.attached(pymesh.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		n.Close()
		for _, want := range []string{"level=INFO", "to=leader", "to=disabled"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("no %s in the log:\n%s", want, &log)
			}
		}
	})
}

// TestWithMAC: the link-local address follows from the MAC address, as on boards.
func TestWithMAC(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		for mac, want := range map[pymesh.MAC]string{8: "fe80::200:0:0:8", 0x0101010101010104: "fe80::301:101:101:104"} {
			n := m.start(m.radio(), pymesh.WithMAC(mac), pymesh.WithStore(new(pymesh.MemoryStore)))
			if n.MAC() != mac {
				t.Errorf("MAC %v, want %v", n.MAC(), mac)
			}
			if addrs := n.IPAddrs(); addrs[len(addrs)-1] != netip.MustParseAddr(want) {
				t.Errorf("%v has addresses %v, want %s", mac, addrs, want)
			}
		}
	})
}

// TestRandomMAC: without WithMAC the address is random, unicast and locally administered.
func TestRandomMAC(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		seen := map[pymesh.MAC]bool{}
		for range 20 {
			n, err := pymesh.New(m.radio(), pymesh.WithKey(testKey))
			if err != nil {
				t.Fatal(err)
			}
			n.Close()
			if mac := n.MAC(); seen[mac] || mac>>56&3 != 2 {
				t.Errorf("MAC %v", mac)
			}
			seen[n.MAC()] = true
		}
	})
}

func TestParseMAC(t *testing.T) {
	mac, err := pymesh.ParseMAC("70b3d5499a76ba3f")
	if err != nil || mac != 0x70b3d5499a76ba3f {
		t.Errorf("%v, %v", mac, err)
	}
	if mac.String() != "70b3d5499a76ba3f" || pymesh.MAC(1).String() != "0000000000000001" {
		t.Error(mac, pymesh.MAC(1))
	}
	for _, s := range []string{"", "1", "70b3d5499a76ba3", "70b3d5499a76ba3f0", "70b3d5499a76ba3g", "70:b3:d5:49:9a:76:ba:3f"} {
		if mac, err := pymesh.ParseMAC(s); err == nil {
			t.Errorf("%q is %v", s, mac)
		}
	}
}

// TestWithPANID: nodes of another PAN are not there.
func TestWithPANID(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(pymesh.WithPANID(0x1234)), m.attached(pymesh.WithPANID(0x4321))
		same := m.attached()
		if sameMesh(a, b) || !sameMesh(a, same) {
			t.Error("the PAN ID does not divide the nodes")
		}
	})
}

func TestWithMeshLocalPrefix(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		prefix := netip.MustParsePrefix("fd12:3456:789a:bcde::/64")
		n := m.attached(pymesh.WithMeshLocalPrefix(netip.MustParsePrefix("fd12:3456:789a:bcde::1/64")))
		inside := 0
		for _, a := range n.IPAddrs() {
			if prefix.Contains(a) {
				inside++
			}
		}
		if inside != 3 || !prefix.Contains(n.MeshLocalEID()) {
			t.Errorf("addresses %v, want three in %v", n.IPAddrs(), prefix)
		}
	})
}

// TestNames: what stands in messages only is accepted.
func TestNames(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		m.attached(pymesh.WithNetworkName("sixteen letters!"), pymesh.WithExtPANID([8]byte{1}), pymesh.WithChannel(26))
	})
}

// TestWithTiming: OpenThread's own timing is quicker to found a partition.
func TestWithTiming(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		start := time.Now()
		m.attached(pymesh.WithTiming(pymesh.TimingOf(thread.TimingIEEE802154())))
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("leader after %v", d)
		}
	})
}

func TestWithMode(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		m.attached()
		full, end := m.attached(), m.attached(pymesh.WithMode(pymesh.EndDevice))
		minimal := m.attached(pymesh.WithMode(pymesh.MinimalEndDevice))
		m.until(3*time.Minute, "the full Thread device is a router", func() bool { return full.State() == pymesh.StateRouter })
		time.Sleep(5 * time.Minute)
		for _, n := range []*pymesh.Node{end, minimal} {
			if n.State() != pymesh.StateChild {
				t.Errorf("an end device is %v", n.State())
			}
			m.ping(n, full.MeshLocalEID(), 8)
		}
	})
}

// TestEndDeviceAlone: an end device leads nothing.
func TestEndDeviceAlone(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.start(m.radio(), pymesh.WithMode(pymesh.EndDevice))
		time.Sleep(10 * time.Minute)
		if n.State() != pymesh.StateDetached {
			t.Errorf("state %v", n.State())
		}
	})
}

// TestWithRand: a simulation with seeded sources repeats.
func TestWithRand(t *testing.T) {
	run := func() (eid netip.Addr, leader pymesh.Leader) {
		inMesh(t, func(t *testing.T, m *mesh) {
			n := m.attached(pymesh.WithRand(rand.NewChaCha8([32]byte{7})))
			eid = n.MeshLocalEID()
			leader, _ = n.Leader()
		})
		return eid, leader
	}
	eid, leader := run()
	if eid2, leader2 := run(); eid != eid2 || leader != leader2 {
		t.Errorf("%v %v, then %v %v", eid, leader, eid2, leader2)
	}
}

// TestNilOptions: nil asks for the default.
func TestNilOptions(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		m.attached(pymesh.WithLogger(nil), pymesh.WithStore(nil), pymesh.WithCapture(nil), pymesh.WithRand(nil))
	})
}
