package meshcop

import (
	"bytes"
	"reflect"
	"testing"
	"time"
)

var beaconTests = []struct {
	hex  string
	want Beacon
}{
	{"ff0f0000" + "0320" + "4f70656e546872656164000000000000" + "dead00beef00cafe",
		Beacon{Version: BeaconVersion, NetworkName: "OpenThread", ExtendedPANID: [8]byte{0xde, 0xad, 0x00, 0xbe, 0xef, 0x00, 0xca, 0xfe}}},
	{"ff0f0000" + "0339" + "30313233343536373839616263646566" + "0000000000000001",
		Beacon{Version: 3, NativeCommissioner: true, Joinable: true, NetworkName: "0123456789abcdef", ExtendedPANID: [8]byte{7: 1}}},
}

func TestBeacon(t *testing.T) {
	for _, tt := range beaconTests {
		wire := unhex(t, tt.hex)
		if got, err := ParseBeacon(wire); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v", tt.hex, got, err)
		}
		if got, _ := tt.want.AppendBinary(nil); !bytes.Equal(got, wire) {
			t.Errorf("%+v: %x", tt.want, got)
		}
		for n := range wire {
			if _, err := ParseBeacon(wire[:n]); err != ErrTLVLength {
				t.Errorf("cut to %d bytes: %v", n, err)
			}
		}
		for _, i := range []int{0, 1, 2, 3, 4} {
			wrong := bytes.Clone(wire)
			wrong[i] ^= 1
			if _, err := ParseBeacon(wrong); err != ErrTLVValue {
				t.Errorf("byte %d: %v", i, err)
			}
		}
	}
	if got := AppendEmptyBeacon(nil); !bytes.Equal(got, unhex(t, "ff0f0000")) {
		t.Errorf("%x", got)
	}
}

func FuzzParseBeacon(f *testing.F) {
	for _, tt := range beaconTests {
		f.Add(unhex(f, tt.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := ParseBeacon(b)
		if err != nil {
			return
		}
		wire, _ := n.AppendBinary(nil)
		if again, err := ParseBeacon(wire); err != nil || again != n {
			t.Errorf("%+v became %+v, %v", n, again, err)
		}
	})
}

// surveyTests hold a message a line, and how it is read and written.
var surveyTests = []struct {
	name, hex string
	want      Survey
	parse     func([]byte) (Survey, error)
	append    func(Survey, []byte) []byte
}{
	{"Energy Scan", "0b021234" + "3506000400002000" + "360102" + "37020020" + "380203e8",
		Survey{Session: 0x1234, Channels: 1 << 18, Count: 2, Period: 32 * time.Millisecond, Duration: time.Second},
		ParseEnergyScan, Survey.AppendEnergyScan},
	{"Energy Report", "3506000400002000" + "3902e2ec", Survey{Channels: 1 << 18, Energy: []int8{-30, -20}}, ParseEnergyReport, Survey.AppendEnergyReport},
	{"Energy Report of nothing", "3506000400000000" + "3900", Survey{}, ParseEnergyReport, Survey.AppendEnergyReport},
	{"PAN ID Query", "0b020001" + "35060004001fffe0" + "0102dead", Survey{Session: 1, Channels: 0x07fff800, PANID: 0xdead},
		ParsePANIDQuery, Survey.AppendPANIDQuery},
	{"PAN ID Conflict", "3506000400100000" + "0102dead", Survey{Channels: 1 << 11, PANID: 0xdead}, ParsePANIDQuery, Survey.AppendPANIDConflict},
	{"Announce Begin", "0b02ffff" + "3506000400100000" + "360103" + "37020bb8",
		Survey{Session: 0xffff, Channels: 1 << 11, Count: 3, Period: 3 * time.Second}, ParseAnnounceBegin, Survey.AppendAnnounceBegin},
}

func TestSurvey(t *testing.T) {
	for _, tt := range surveyTests {
		wire := unhex(t, tt.hex)
		if got, err := tt.parse(wire); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
		if got := tt.append(tt.want, nil); !bytes.Equal(got, wire) {
			t.Errorf("%s:\n got %x\nwant %x", tt.name, got, wire)
		}
		for n := range wire {
			if _, err := tt.parse(wire[:n]); err == nil {
				t.Errorf("%s cut to %d bytes: no error", tt.name, n)
			}
		}
	}
	if got := (Survey{Period: -1, Duration: time.Hour}).AppendEnergyScan(nil); !bytes.HasSuffix(got, unhex(t, "37020000"+"3802ffff")) {
		t.Errorf("%x", got)
	}
	if _, err := ParsePANIDQuery(unhex(t, "3500"+"0102dead")); err == nil {
		t.Error("an empty channel mask was taken")
	}
}

func FuzzParseSurvey(f *testing.F) {
	for _, tt := range surveyTests {
		f.Add(unhex(f, tt.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, tt := range surveyTests {
			s, err := tt.parse(b)
			if err != nil {
				continue
			}
			if again, err := tt.parse(tt.append(s, nil)); err != nil || again.Channels != s.Channels || again.Count != s.Count ||
				again.Period != s.Period || again.Duration != s.Duration || again.PANID != s.PANID || !reflect.DeepEqual(again.Energy, s.Energy) {
				t.Errorf("%s: %+v became %+v, %v", tt.name, s, again, err)
			}
		}
	})
}

var discoveryHex = []string{"80022000", "80022800" + "0208dead00beef00cafe",
	"81022800" + "0208dead00beef00cafe" + "030a4f70656e546872656164" + "0801ff" + "120203e8"}

func TestDiscovery(t *testing.T) {
	d := Discovery(unhex(t, discoveryHex[2]))
	r, ok, err := d.Response()
	if !ok || err != nil || !r.NativeCommissioner || r.Version != BeaconVersion {
		t.Error(r, ok, err)
	}
	id, ok, err := d.ExtendedPANID()
	name, nameErr := d.NetworkName()
	steering, steeringErr := d.SteeringData()
	port, portErr := d.JoinerUDPPort()
	if !ok || err != nil || nameErr != nil || steeringErr != nil || portErr != nil {
		t.Fatal(ok, err, nameErr, steeringErr, portErr)
	}
	built := AppendDiscoveryResponse(nil, r)
	built = AppendNetworkName(AppendExtendedPANID(built, id), name)
	built = append(built, 8, byte(len(steering)))
	built = AppendJoinerUDPPort(append(built, steering...), port)
	if !bytes.Equal(built, d) {
		t.Errorf("\n got %x\nwant %x", built, d)
	}
	if q, ok, err := Discovery(unhex(t, discoveryHex[1])).Request(); !ok || err != nil || !q.Joiner {
		t.Error(q, ok, err)
	}
	for _, hex := range []string{"8001ff", "8101ff", "020100", "03116161616161616161616161616161616161", "0800", "120100"} {
		d := Discovery(unhex(t, hex))
		_, _, a := d.Request()
		_, _, b := d.Response()
		_, _, c := d.ExtendedPANID()
		_, e := d.NetworkName()
		_, f := d.SteeringData()
		_, g := d.JoinerUDPPort()
		wrong := 0
		for _, err := range []error{a, b, c, e, f, g} {
			if err == ErrTLVLength {
				wrong++
			} else if err != nil {
				t.Errorf("%s: %v", hex, err)
			}
		}
		if wrong != 1 {
			t.Errorf("%s: %d errors", hex, wrong)
		}
	}
	if got := AppendNetworkName(nil, "0123456789abcdefg"); len(got) != 18 {
		t.Errorf("%x", got)
	}
}

func FuzzParseDiscovery(f *testing.F) {
	for _, hex := range discoveryHex {
		f.Add(unhex(f, hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDiscovery(b)
		if err != nil {
			return
		}
		if r, ok, err := d.Response(); ok && err == nil {
			if again, _, err := Discovery(AppendDiscoveryResponse(nil, r)).Response(); err != nil || again != r {
				t.Error(r, again, err)
			}
		}
		if name, err := d.NetworkName(); err == nil {
			if again, err := Discovery(AppendNetworkName(nil, name)).NetworkName(); err != nil || again != name {
				t.Error(name, again, err)
			}
		}
	})
}
