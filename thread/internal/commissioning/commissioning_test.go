package commissioning

import (
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
)

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func newCore() *core.Core {
	c := core.New(io.Reader(zeros{}), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{0xaa, 1})
	c.Advance(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	return c
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// data is the Commissioning Data.
type data struct {
	tlvs []byte
	full bool
}

func (d *data) CommissioningData() []byte { return d.tlvs }

func (d *data) SetCommissioningData(b []byte) (bool, error) {
	if d.full {
		return false, errors.New("full")
	}
	changed := string(b) != string(d.tlvs)
	d.tlvs = append([]byte(nil), b...)
	return changed, nil
}

const timeout = 50 * time.Second

func newRegistrar() (*Registrar, *core.Core, *data) {
	c, d := newCore(), &data{tlvs: []byte{0x0b, 2, 0, 1}} // as of a new partition
	return NewRegistrar(c, d, timeout), c, d
}

// ask is a petition in somebody's name.
func ask(name string) []byte { return tlv.Append(nil, meshcop.TypeCommissionerID, []byte(name)) }

// sign is a keep-alive.
func sign(state meshcop.State, session uint16) []byte {
	return meshcop.AppendCommissionerSessionID(meshcop.AppendState(nil, state), session)
}

func stateOf(t *testing.T, answer []byte) meshcop.State {
	t.Helper()
	value, _ := tlv.Find(answer, meshcop.TypeState)
	s, err := meshcop.ParseState(value)
	if err != nil {
		t.Fatalf("%x: %v", answer, err)
	}
	return s
}

// There is one commissioner: whoever comes second is refused and told who it is; the first may come again, in another session. All learn
// where it is, and that nobody may join (Thread 1.1 §8.7.1).
func TestPetition(t *testing.T) {
	r, _, d := newRegistrar()
	answer, changed := r.Petition(ask("first"), 0x0400)
	if !changed || hex.EncodeToString(answer) != "100101"+"0a056669727374"+"0b02"+hex.EncodeToString(d.tlvs[6:8]) {
		t.Errorf("%v, %x", changed, answer)
	}
	session := r.Session()
	if got := hex.EncodeToString(d.tlvs); got != "09020400"+"0b02"+hex.EncodeToString([]byte{byte(session >> 8), byte(session)})+"080100" {
		t.Errorf("%s", got)
	}
	answer, changed = r.Petition(ask("second"), 0x0800)
	if changed || hex.EncodeToString(answer) != "1001ff"+"0a056669727374" || r.Session() != session {
		t.Errorf("%v, %x", changed, answer)
	}
	if answer, _ = r.Petition(ask("first"), 0x0c01); stateOf(t, answer) != meshcop.StateAccept || r.Session() == session {
		t.Errorf("%x", answer)
	}
	if rloc, ok := Locator(d); !ok || rloc != 0x0c01 {
		t.Errorf("%v, %v", rloc, ok)
	}
}

func TestPetitionRefused(t *testing.T) {
	for name, payload := range map[string][]byte{
		"nameless": nil, "too long": ask(strings.Repeat("x", 65)), "cut off": {byte(meshcop.TypeCommissionerID)},
	} {
		r, _, d := newRegistrar()
		if answer, changed := r.Petition(payload, 0x0400); changed || stateOf(t, answer) != meshcop.StateReject || len(d.tlvs) != 4 {
			t.Errorf("%s: %v, %x", name, changed, answer)
		}
	}
	r, _, d := newRegistrar()
	if answer, _ := r.Petition(ask("x"), mle.InvalidRLOC16); stateOf(t, answer) != meshcop.StateReject {
		t.Errorf("from no place: %x", answer)
	}
	d.full = true
	if answer, changed := r.Petition(ask("x"), 0x0400); changed || stateOf(t, answer) != meshcop.StateReject {
		t.Errorf("full: %x", answer)
	}
	if _, ok := r.NextTimeout(); ok {
		t.Error("a commissioner that was refused")
	}
}

// A commissioner that gives no sign of life is none any more; the data say so, under a session that nobody has.
func TestSilence(t *testing.T) {
	r, c, d := newRegistrar()
	r.Petition(ask("x"), 0x0400)
	session := r.Session()
	c.Advance(c.Now.Add(timeout - time.Second))
	if r.HandleTimeout() {
		t.Error("too early")
	}
	answer, changed, err := r.KeepAlive(sign(meshcop.StateAccept, session), 0x0400)
	if err != nil || changed || stateOf(t, answer) != meshcop.StateAccept {
		t.Errorf("%x, %v, %v", answer, changed, err)
	}
	// It has moved.
	if _, changed, _ = r.KeepAlive(sign(meshcop.StateAccept, session), 0x0801); !changed || r.Session() != session {
		t.Error("its new place is not told")
	}
	if rloc, _ := Locator(d); rloc != 0x0801 {
		t.Errorf("%v", rloc)
	}
	at, ok := r.NextTimeout()
	if !ok || at != c.Now.Add(timeout) {
		t.Errorf("%v, %v", at, ok)
	}
	c.Advance(at)
	if !r.HandleTimeout() || len(d.tlvs) != 4 || r.Session() == session {
		t.Errorf("still there: %x", d.tlvs)
	}
	if _, ok := Locator(d); ok {
		t.Error("its place is told on")
	}
	if answer, _, _ = r.KeepAlive(sign(meshcop.StateAccept, session), 0x0801); stateOf(t, answer) != meshcop.StateReject {
		t.Error("comes back without a petition")
	}
	if answer, _ = r.Petition(ask("y"), 0x0c00); stateOf(t, answer) != meshcop.StateAccept {
		t.Error("its place is not free")
	}
}

func TestResign(t *testing.T) {
	r, _, d := newRegistrar()
	r.Petition(ask("x"), 0x0400)
	if answer, changed, _ := r.KeepAlive(sign(meshcop.StateReject, r.Session()+1), 0x0400); changed || stateOf(t, answer) != meshcop.StateReject {
		t.Error("resigned by somebody else")
	}
	if answer, changed, _ := r.KeepAlive(sign(meshcop.StateReject, r.Session()), 0x0400); !changed || stateOf(t, answer) != meshcop.StateReject || len(d.tlvs) != 4 {
		t.Errorf("%v, %x, %x", changed, answer, d.tlvs)
	}
	for _, bad := range [][]byte{nil, sign(1, 1)[:3], sign(1, 1)[3:], {16, 0, 11, 2, 0, 1}} {
		if _, _, err := r.KeepAlive(bad, 0x0400); err == nil {
			t.Errorf("%x is taken", bad)
		}
	}
}

// A new leader gives the commissioner that the data name its time; the same one may ask again from there, another may not.
func TestLead(t *testing.T) {
	r, c, d := newRegistrar()
	if r.Lead(); !r.until.IsZero() {
		t.Error("waits for nobody")
	}
	d.tlvs = unhex(t, "09020400"+"0b020777"+"080100")
	r.Lead()
	if answer, _ := r.Petition(ask("other"), 0x0800); stateOf(t, answer) != meshcop.StateReject {
		t.Errorf("%x", answer)
	}
	if answer, _, _ := r.KeepAlive(sign(meshcop.StateAccept, 0x0777), 0x0400); stateOf(t, answer) != meshcop.StateAccept {
		t.Errorf("%x", answer)
	}
	if answer, _ := r.Petition(ask("x"), 0x0400); stateOf(t, answer) != meshcop.StateAccept || r.Session() == 0x0777 {
		t.Errorf("%x", answer)
	}
	r.Stop()
	if c.Advance(c.Now.Add(time.Hour)); r.HandleTimeout() {
		t.Error("no leader any more")
	}
}

// What a commissioner sets replaces what it has set, but for its place; what makes no sense is refused as a whole (Thread 1.1 §8.7.3).
func TestSet(t *testing.T) {
	const mine, place = "0b020777", "09020400"
	for _, tt := range []struct {
		name, payload, want string // data, "" for no change
	}{
		{"steering data", mine + "080411223344", mine + "080411223344" + place},
		{"port", "12024141" + mine, "12024141" + mine + place},
		{"beside something unknown", mine + "080101" + "8202aa55", mine + "080101" + "8202aa55" + place},
		{"another session", "0b020778" + "080101", ""},
		{"no session", "080101", ""},
		{"nothing", mine, ""},
		{"the locator", mine + "080101" + place, ""},
		{"wrong length", mine + "0800", ""},
		{"cut off", mine + "0801", ""},
		{"too long", mine + "0801ff" + strings.Repeat("fe00", 130), ""},
	} {
		r, _, d := newRegistrar()
		before := place + mine + "080100"
		d.tlvs = unhex(t, before)
		answer, changed := r.Set(unhex(t, tt.payload))
		want := tt.want
		if want == "" {
			want = before
		}
		if got := hex.EncodeToString(d.tlvs); got != want || changed != (tt.want != "") || (stateOf(t, answer) == meshcop.StateAccept) != changed {
			t.Errorf("%s: %s, %v, %x", tt.name, got, changed, answer)
		}
	}
}

func TestGet(t *testing.T) {
	r, _, d := newRegistrar()
	d.tlvs = unhex(t, "09020400"+"0b020777"+"080100")
	for payload, want := range map[string]string{
		"": "09020400" + "0b020777" + "080100", "0d020b09": "0b020777" + "09020400", "0d03080808": "080100", "0d0112": "", "0d05": "09020400" + "0b020777" + "080100",
	} {
		if got := hex.EncodeToString(r.Get(unhex(t, payload))); got != want {
			t.Errorf("%q: %s, want %s", payload, got, want)
		}
	}
}

// dialogue is a commissioner and what it asks.
func poll(t *testing.T, c *Commissioner, want Question) []byte {
	t.Helper()
	q, payload := c.Poll()
	if q != want {
		t.Fatalf("asks %v, want %v", q, want)
	}
	return payload
}

// A node becomes the commissioner, gives signs of life, and resigns.
func TestCommissioner(t *testing.T) {
	k := newCore()
	c := New(k, timeout)
	if err := c.Stop(); !errors.Is(err, core.ErrState) {
		t.Error(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); !errors.Is(err, core.ErrExists) {
		t.Error(err)
	}
	if got := string(poll(t, c, Petition)); got != "\x0a\x17pymesh aa01000000000000" {
		t.Errorf("%q", got)
	}
	poll(t, c, None)
	c.Answered(Petition, append(sign(meshcop.StateAccept, 0x1235)[:3], 0x0b, 2, 0x12, 0x35), true)
	if aloc, ok := c.ALOC(); c.State() != Active || c.Session() != 0x1235 || !ok || aloc != 0xfc35 {
		t.Errorf("%v, %x, %v", c.State(), c.Session(), aloc)
	}
	for range 2 {
		at, ok := c.NextTimeout()
		if !ok || at != k.Now.Add(timeout/2) {
			t.Fatalf("%v, %v", at, ok)
		}
		k.Advance(at)
		c.HandleTimeout()
		if got := hex.EncodeToString(poll(t, c, KeepAlive)); got != "1001010b021235" {
			t.Errorf("%s", got)
		}
		c.Answered(KeepAlive, meshcop.AppendState(nil, meshcop.StateAccept), true)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	if got := hex.EncodeToString(poll(t, c, Resign)); got != "1001ff0b021235" {
		t.Errorf("%s", got)
	}
	if _, ok := c.ALOC(); ok || c.State() != Disabled {
		t.Error("still the commissioner")
	}
	if _, ok := c.NextTimeout(); ok {
		t.Error("a timer is left")
	}
}

// Whoever is refused, or hears nothing twice, is no commissioner. An answer that comes too late is none.
func TestCommissionerFails(t *testing.T) {
	k := newCore()
	start := func() *Commissioner {
		c := New(k, timeout)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		poll(t, c, Petition)
		return c
	}
	accept := append(meshcop.AppendState(nil, meshcop.StateAccept), 0x0b, 2, 0, 9)
	c := start()
	c.Answered(Petition, nil, false)
	if c.State() != Petitions {
		t.Error("gives up at once")
	}
	k.Advance(k.Now.Add(petitionRetry))
	c.HandleTimeout()
	poll(t, c, Petition)
	if c.Answered(Petition, nil, false); c.State() != Disabled {
		t.Error("asks on")
	}
	for name, answer := range map[string][]byte{
		"refused": meshcop.AppendState(nil, meshcop.StateReject), "no state": accept[3:], "no session": accept[:3], "empty": nil,
	} {
		c := start()
		if c.Answered(Petition, answer, true); c.State() != Disabled {
			t.Errorf("%s: %v", name, c.State())
		}
	}
	for name, failed := range map[string]func(c *Commissioner){
		"refused":   func(c *Commissioner) { c.Answered(KeepAlive, meshcop.AppendState(nil, meshcop.StateReject), true) },
		"no answer": func(c *Commissioner) { c.Answered(KeepAlive, nil, false) },
	} {
		c := start()
		c.Answered(Petition, accept, true)
		k.Advance(k.Now.Add(timeout))
		c.HandleTimeout()
		poll(t, c, KeepAlive)
		if failed(c); c.State() != Disabled {
			t.Errorf("%s: %v", name, c.State())
		}
	}
	c = start()
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	poll(t, c, None) // it is not known to anybody yet
	if c.Answered(Petition, accept, true); c.State() != Disabled {
		t.Error("an answer makes it one that has given up")
	}
	c = start()
	c.Answered(Petition, accept, true)
	c.Leave()
	poll(t, c, None)
	if c.State() != Disabled {
		t.Error(c.State())
	}
	if s := State(7).String(); s != "State(7)" || Petitions.String() != "petition" || Active.String() != "active" || Disabled.String() != "disabled" {
		t.Error(s)
	}
}

// FuzzRegistrar feeds any messages: the data stay TLVs that the network data can hold, and there is a session.
func FuzzRegistrar(f *testing.F) {
	f.Add(ask("x"), uint8(0))
	f.Add(sign(meshcop.StateAccept, 1), uint8(1))
	f.Add(sign(meshcop.StateReject, 1), uint8(1))
	f.Add([]byte{0x0b, 2, 0, 1, 8, 1, 0xff}, uint8(2))
	f.Add([]byte{0x0d, 2, 8, 9}, uint8(3))
	f.Fuzz(func(t *testing.T, payload []byte, kind uint8) {
		r, _, d := newRegistrar()
		d.tlvs = append(unhex(t, "09020400"), d.tlvs...)
		r.Lead()
		switch kind % 4 {
		case 0:
			r.Petition(payload, 0x0400)
		case 1:
			_, _, _ = r.KeepAlive(payload, 0x0800)
		case 2:
			r.Set(payload)
		default:
			if n := len(r.Get(payload)); n > len(d.tlvs) {
				t.Fatalf("%x: an answer of %d bytes", payload, n)
			}
		}
		if tlv.Validate(d.tlvs) != nil || len(d.tlvs) > maxData+4 {
			t.Fatalf("%x: %x", payload, d.tlvs)
		}
		if _, ok := tlv.Find(d.tlvs, meshcop.TypeCommissionerSessionID); !ok {
			t.Fatalf("%x: no session in %x", payload, d.tlvs)
		}
	})
}

// FuzzCommissioner feeds any answer.
func FuzzCommissioner(f *testing.F) {
	f.Add([]byte{16, 1, 1, 11, 2, 0, 9}, true)
	f.Add([]byte{16, 1, 0xff}, false)
	f.Fuzz(func(t *testing.T, answer []byte, ok bool) {
		c := New(newCore(), timeout)
		_ = c.Start()
		c.Poll()
		c.Answered(Petition, answer, ok)
		if _, is := c.ALOC(); is && !ok {
			t.Fatal("the commissioner without an answer")
		}
	})
}
