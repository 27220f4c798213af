package networkdata

import (
	"bytes"
	"testing"

	"github.com/gopymesh/pymesh/thread/mle"
)

// TestCapturedExchange plays what three nodes with Pymesh's engine have registered in the capture pycom-s3: each says what the board said, byte
// for byte, and the leader makes the same data of it, under the same versions.
func TestCapturedExchange(t *testing.T) {
	const (
		first, second, third = 0x8800, 0x1c00, 0xb800
		commissioner         = "08040b021d50"
		both                 = "031800402001deadbeefcafe07021140050888003300b800f300"
		one                  = "031400402001deadbeefcafe07021140050488003300"
	)
	d, _ := newLeader()
	if err := d.Take(151, 116, unhex(t, commissioner)); err != nil {
		t.Fatal(err)
	}
	locals := map[uint16]*Local{first: {}, second: {}, third: {}}
	medium, low := onMesh("2001:dead:beef:cafe::/64", 0, true), onMesh("2001:dead:beef:cafe::/64", -1, true)
	route := external("2001:db8:1::/48", 0, true)
	for _, step := range []struct {
		name         string
		server       uint16
		add          *Entry
		remove       *Entry
		registration string // a/sd; of the leader none is on the air
		version      uint8
		stable       uint8
		data         string
	}{
		{"node 1: prefix add pasor med", first, &medium, nil, "", 152, 117, one},
		{"node 3: prefix add pasor low", third, &low, nil, "031000402001deadbeefcafe0504b800f300", 153, 118, both},
		{"node 2: route add s med", second, &route, nil, "030d003020010db8000101031c0000", 154, 119, both + "030d003020010db8000101031c0000"},
		{"node 2: route remove", second, nil, &route, "", 155, 120, both},
		{"node 3: prefix remove", third, nil, &low, "", 156, 121, one},
		{"node 1: prefix remove", first, nil, &medium, "", 157, 122, "030e00402001deadbeefcafe07020140"},
	} {
		l := locals[step.server]
		if step.add != nil {
			if err := l.Set(*step.add); err != nil {
				t.Fatal(err)
			}
		} else if err := l.Remove(*step.remove); err != nil {
			t.Fatal(err)
		}
		tlvs := l.AppendTLVs(nil, mle.RLOC16(step.server))
		if step.server != first && !bytes.Equal(tlvs, unhex(t, step.registration)) {
			t.Errorf("%s: registers %x, want %s", step.name, tlvs, step.registration)
		}
		if changed, err := d.Register(mle.RLOC16(step.server), tlvs); !changed || err != nil {
			t.Errorf("%s: %v, %v", step.name, changed, err)
		}
		if !bytes.Equal(d.TLVs(), unhex(t, commissioner+step.data)) || d.Version() != step.version || d.StableVersion() != step.stable {
			t.Errorf("%s: %x, versions %d and %d, want %s, %d and %d", step.name, d.TLVs(), d.Version(), d.StableVersion(),
				commissioner+step.data, step.version, step.stable)
		}
	}
}
