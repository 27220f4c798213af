package filestore

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
)

// fill sets all that can be set in v to values other than zero, all different where there is room.
func fill(t *testing.T, v reflect.Value, n *uint64) {
	t.Helper()
	*n++
	switch v.Interface().(type) {
	case netip.Prefix:
		v.Set(reflect.ValueOf(netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 15: byte(*n)}), 64)))
		return
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(int64(*n), 5).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("text")
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		switch {
		case v.Type() == reflect.TypeFor[thread.Role]():
			v.SetUint(uint64(thread.RoleRouter))
		case v.CanInt():
			v.SetInt(int64(*n))
		case v.CanUint():
			v.SetUint(*n)
		default:
			t.Fatalf("the test knows no %v", v.Type())
		}
	}
}

// filled returns settings in which no field is zero.
func filled(t *testing.T) (s thread.Settings) {
	n := uint64(0)
	fill(t, reflect.ValueOf(&s).Elem(), &n)
	return s
}

func file(t testing.TB, g generation) []byte {
	t.Helper()
	b, err := g.append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFormat: every field of the settings survives, those that are added later included: this test has no list of them. The file is
// JSON, with bytes in hexadecimal.
func TestFormat(t *testing.T) {
	edges := thread.Settings{MACFrameCounter: 1<<32 - 1, HighestKeySequence: 1<<32 - 1, KeySequenceAge: 1<<63 - 1, MPLSequence: 255,
		Children: []thread.ChildSettings{}, Dataset: new(thread.DatasetSettings), Network: new(thread.Network)}
	for _, want := range []thread.Settings{{}, edges, filled(t)} {
		b := file(t, generation{7, want})
		got, err := parseGeneration(b)
		if err != nil || got.number != 7 || !reflect.DeepEqual(got.settings, want) {
			t.Errorf("%+v, %v\nwant %+v\n%s", got, err, want, b)
		}
		if !json.Valid(b) || len(b) > maxSize/10 {
			t.Errorf("%d bytes of JSON:\n%s", len(b), b)
		}
	}
	b := file(t, generation{1, thread.Settings{NetworkKey: [16]byte{0xde, 0xad, 15: 0xbe}, ExtAddr: [8]byte{0xca, 0xfe}}})
	for _, want := range []string{`"NetworkKey": "dead00000000000000000000000000be"`, `"ExtAddr": "cafe000000000000"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in\n%s", want, b)
		}
	}
}

// TestGolden reads a file that was written when format 2 was new. It must not be rewritten: others have such files.
func TestGolden(t *testing.T) {
	b, err := os.ReadFile("testdata/format2.store")
	if err != nil {
		t.Fatal(err)
	}
	g, err := parseGeneration(b)
	if err != nil {
		t.Fatal(err)
	}
	want := thread.Settings{
		NetworkKey: [16]byte{0x11, 0x22, 0x33}, ExtAddr: [8]byte{2, 0, 0, 0, 0, 0, 0, 9}, KeySequence: 5, KeySequenceAge: 90 * time.Minute,
		MACFrameCounter: 3000, MLEFrameCounter: 2000, LeastKeySequence: 1, HighestKeySequence: 6, MPLSequence: 70,
		Role: thread.RoleRouter, RLOC16: 0x5800, Mode: 0x0f, PartitionID: 0xdeadbeef,
		MeshLocalIID: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, Parent: [8]byte{9},
		Children: []thread.ChildSettings{{ExtAddr: [8]byte{8}, RLOC16: 0x5801, Mode: 0x0d, Timeout: 4 * time.Minute}},
		Network: &thread.Network{Key: [16]byte{0x11, 0x22, 0x33}, PANID: 0x1234, Name: "OpenThread", ExtPANID: [8]byte{0xde, 0xad},
			MeshLocalPrefix: netip.MustParsePrefix("fdde:ad00:beef::/64"), Channel: 11},
		Dataset: &thread.DatasetSettings{Timestamp: [8]byte{7: 1}, TLVs: []byte{3, 1, 'x'}}, AutoStart: true,
	}
	if g.number != 12 || !reflect.DeepEqual(g.settings, want) {
		t.Errorf("%d %+v\nwant %+v", g.number, g.settings, want)
	}
}

// reseal gives a file the right checksum for other content.
func reseal(t *testing.T, content string) []byte {
	t.Helper()
	b, err := wrap(nil, kindSettings, json.RawMessage(content))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestOtherTimes: fields that are not there are zero, and those that are not known do no harm; but a later format is refused.
func TestOtherTimes(t *testing.T) {
	g, err := parseGeneration(reseal(t, `{"Generation":3,"Settings":{"MACFrameCounter":5,"Secret":{"A":[1]},"Dataset":{"Delay":7}},"More":1}`))
	if want := (thread.Settings{MACFrameCounter: 5, Dataset: new(thread.DatasetSettings)}); err != nil || !reflect.DeepEqual(g.settings, want) {
		t.Errorf("%+v, %v", g, err)
	}
	later := bytes.Replace(file(t, generation{}), []byte(`"version":2`), []byte(`"version":3`), 1)
	if _, err := parseGeneration(later); err == nil || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "later version") {
		t.Errorf("later version: %v", err)
	}
}

const version1 = `{"Version":1,"Settings":{"NetworkKey":[1,2,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"ExtAddr":[9,0,0,0,0,0,0,0],
	"KeySequence":7,"MACFrameCounter":3000,"MLEFrameCounter":2000,"MPLSequence":5,"Role":4,"RLOC16":1024,"Mode":15,"PartitionID":77,
	"MeshLocalIID":[1,2,3,4,5,6,7,8],"Parent":[0,0,0,0,0,0,0,0],"Children":[{"ExtAddr":[8,0,0,0,0,0,0,0],"RLOC16":1025,"Mode":15,"Timeout":240000000000}],
	"Network":null,"AutoStart":true}}`

// TestVersion1: the example programs' files of before load, without what was not in them.
func TestVersion1(t *testing.T) {
	g, err := parseGeneration([]byte(version1))
	want := thread.Settings{NetworkKey: [16]byte{1, 2}, ExtAddr: [8]byte{9}, KeySequence: 7, MACFrameCounter: 3000, MLEFrameCounter: 2000,
		MPLSequence: 5, Role: thread.RoleLeader, RLOC16: 1024, Mode: 15, PartitionID: 77, MeshLocalIID: [8]byte{1, 2, 3, 4, 5, 6, 7, 8},
		Children: []thread.ChildSettings{{ExtAddr: [8]byte{8}, RLOC16: 1025, Mode: 15, Timeout: 4 * time.Minute}}, AutoStart: true}
	if err != nil || !reflect.DeepEqual(g.settings, want) {
		t.Errorf("%+v, %v\nwant %+v", g.settings, err, want)
	}
	if _, err := thread.New(thread.Config{NetworkKey: [16]byte{1, 2}, ExtAddr: [8]byte{9}, Store: kept{g.settings}, Rand: rand.NewChaCha8([32]byte{})}); err != nil {
		t.Error(err)
	}
}

// TestDamage: no file that was cut short, or in which a bit is another, is taken for a store.
func TestDamage(t *testing.T) {
	whole := file(t, generation{3, filled(t)})
	for n := range whole {
		if _, err := parseGeneration(whole[:n]); !errors.Is(err, ErrDamaged) {
			t.Errorf("first %d bytes: %v", n, err)
		}
	}
	b := bytes.Clone(whole)
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			if _, err := parseGeneration(b); err == nil {
				t.Errorf("bit %d of byte %d: no error", bit, i)
			}
			b[i] = whole[i]
		}
	}
}

// TestForeign: files of other programs, and content that a checksum does not make better.
func TestForeign(t *testing.T) {
	for _, content := range []string{
		"", "\x00\x00\x00\x00", "{", "null", "[]", "hello\n", `{"Version":99,"Settings":{}}`, `{"Version":1}`, `{"board":"dragino"}`,
		string(reseal(t, `{"Generation":-1,"Settings":{}}`)),
		string(reseal(t, `{"Generation":1,"Settings":5}`)),
		string(reseal(t, `{"Generation":1,"Settings":{"Role":9}}`)),
		string(reseal(t, `{"Generation":1,"Settings":{"NetworkKey":"00"}}`)),
		string(reseal(t, `{"Generation":1,"Settings":{"NetworkKey":"zz"}}`)),
		string(reseal(t, `{"Generation":1,"Settings":{"MACFrameCounter":4294967296}}`)),
		string(reseal(t, `{"Generation":1,"Settings":{"MACFrameCounter":1.5}}`)),
		string(reseal(t, `{"Generation":1,"Settings":{"Children":{}}}`)),
		string(reseal(t, `{"Generation":1,"Settings":{"Children":[[]]}}`)),
		string(reseal(t, `{"Generation":1,"Settings":{"AutoStart":"yes"}}`)),
		string(reseal(t, `{"Generation":1,"Settings":{"Network":{"MeshLocalPrefix":"x"}}}`)),
		string(reseal(t, `{"Generation":1,"Settings":{"Network":{"MeshLocalPrefix":5}}}`)),
		string(reseal(t, `[]`)),
	} {
		if g, err := parseGeneration([]byte(content)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %+v, %v", content, g, err)
		}
	}
	if _, err := unwrap(file(t, generation{}), kindAirtime); !errors.Is(err, ErrDamaged) {
		t.Errorf("settings as airtime: %v", err)
	}
}

// TestUnknownKinds: a field of a kind that a file cannot hold is an error, not left out.
func TestUnknownKinds(t *testing.T) {
	for _, v := range []any{struct{ M map[string]int }{}, struct{ f int }{}, struct{ F float64 }{}, struct{ L []func() }{make([]func(), 1)}} {
		p := reflect.New(reflect.TypeOf(v))
		p.Elem().Set(reflect.ValueOf(v))
		if _, err := encode(p.Elem()); !errors.Is(err, errKind) {
			t.Errorf("%T: %v", v, err)
		}
	}
}

func TestAirtimeFormat(t *testing.T) {
	want := []lora.SentAirtime{{SubBand: "M", Time: time.Unix(5, 0).UTC(), Used: [12]time.Duration{1, 11: 7}, Ahead: 3}}
	b, err := appendAirtime(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{b, []byte(`{"Version":1,"Sent":[{"SubBand":"M","Time":"1970-01-01T00:00:05Z","Used":[1,0,0,0,0,0,0,0,0,0,0,7],"Ahead":3}]}`)} {
		if got, err := parseAirtime(b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	for n := range b {
		if _, err := parseAirtime(b[:n]); !errors.Is(err, ErrDamaged) {
			t.Errorf("first %d bytes: %v", n, err)
		}
	}
}

// kept is a store that has settings and takes all.
type kept struct{ thread.Settings }

func (k kept) Load() (thread.Settings, bool, error) { return k.Settings, true, nil }
func (kept) Save(thread.Settings) error             { return nil }

// FuzzParseGeneration: whatever is in the file, it is refused or understood; what is understood is written and read again as it is; and
// no settings bring an engine to a fall, when it starts with them.
func FuzzParseGeneration(f *testing.F) {
	golden, err := os.ReadFile("testdata/format2.store")
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range [][]byte{golden, file(f, generation{}), []byte(version1)} {
		f.Add(b, false)
	}
	f.Add([]byte(`{"Generation":12,"Settings":{"NetworkKey":"11223300000000000000000000000000","Role":3,"RLOC16":22528,"Children":[{"RLOC16":22529}]}}`), true)
	f.Fuzz(func(t *testing.T, b []byte, content bool) {
		if content && json.Valid(b) { // a checksum is nothing that is hit by chance
			var err error
			if b, err = wrap(nil, kindSettings, json.RawMessage(b)); err != nil {
				t.Skip()
			}
		}
		g, err := parseGeneration(b)
		if err != nil {
			return
		}
		again, err := parseGeneration(file(t, g))
		if err != nil || again.number != g.number || !bytes.Equal(file(t, again), file(t, g)) {
			t.Fatalf("%+v, %v\n%+v", again, err, g)
		}
		s := ahead(g.settings)
		e, err := thread.New(thread.Config{NetworkKey: s.NetworkKey, ExtAddr: s.ExtAddr, Store: kept{s}, Rand: rand.NewChaCha8([32]byte{})})
		if err != nil {
			return
		}
		now := time.Unix(0, 0)
		_ = e.Start(now)
		for range 20 {
			if _, ok := e.PollTransmit(); ok {
				e.HandleTransmitDone(now, nil)
			}
			at, ok := e.NextTimeout()
			if !ok {
				break
			}
			now = at
			e.HandleTimeout(now)
		}
	})
}

// FuzzParseAirtime: what is understood is written and read again as it is.
func FuzzParseAirtime(f *testing.F) {
	b, err := appendAirtime(nil, []lora.SentAirtime{{SubBand: "M", Time: time.Unix(5, 0).UTC(), Ahead: 3}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"Version":1,"Sent":[{"SubBand":"M","Used":[1,0,0,0,0,0,0,0,0,0,0,7],"Ahead":3}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		sent, err := parseAirtime(b)
		if err != nil {
			return
		}
		if b, err = appendAirtime(nil, sent); err != nil {
			return // a time beyond the year 9999
		}
		if again, err := parseAirtime(b); err != nil || len(again) != len(sent) {
			t.Fatalf("%+v, %v\n%+v", again, err, sent)
		}
	})
}
