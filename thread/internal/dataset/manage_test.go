package dataset

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/tlv"
)

const session = 0x1234

// leader is the Manager of a leader whose active dataset has someTime.
func leader(t testing.TB) *Manager {
	t.Helper()
	m := &Manager{Active: New(network, usual), Pending: NewPending(newCore()), MinDelay: DefaultMinDelay}
	if err := m.Active.Set([8]byte(unhex(t, someTime)), unhex(t, generated), true); err != nil {
		t.Fatal(err)
	}
	return m
}

const (
	ofCommissioner = "0b021234"
	name           = "030568656c6c6f"
	otherChannel   = "0003000014"
	otherPAN       = "01024321"
	otherKey       = "0510000102030405060708090a0b0c0d0e0f"
	otherPrefix    = "0708fd00000000000db7"
)

// The leader takes a newer active dataset at once if nobody is cut off by it; else it refuses the commissioner, and lets what a node asks for
// wait (Thread 1.1 §8.7.4).
func TestSetActive(t *testing.T) {
	const refused, at, waits = "refused", "at once", "waits"
	for _, tt := range []struct{ name, payload, want string }{
		{"commissioner, name", activeOther + ofCommissioner + name, at},
		{"commissioner, channel", activeOther + ofCommissioner + name + otherChannel, refused},
		{"commissioner, the same channel", activeOther + ofCommissioner + "000300000b", at},
		{"commissioner, PAN ID", activeOther + ofCommissioner + otherPAN, refused},
		{"commissioner, key", activeOther + ofCommissioner + otherKey, refused},
		{"commissioner, prefix", activeOther + ofCommissioner + otherPrefix, refused},
		{"another session", activeOther + "0b02abcd" + name, refused},
		{"malformed session", activeOther + "0b0112" + name, refused},
		{"as old", activeSome + ofCommissioner + name, refused},
		{"older", "0e08" + noTime + ofCommissioner + name, refused},
		{"no timestamp", ofCommissioner + name, refused},
		{"steering data, which is none of it", activeOther + ofCommissioner + name + "0806113320440000", at},
		{"unknown TLV", activeOther + ofCommissioner + name + "8202aa55", at},
		{"malformed", activeOther + ofCommissioner + "0111", refused},
		{"wrong length", activeOther + ofCommissioner + "0101aa", refused},
		{"channel of another page", activeOther + ofCommissioner + "000301000b", refused},
		{"no network", activeOther + ofCommissioner + "0003000009", refused},
		{"too long", activeOther + ofCommissioner + strings.Repeat("fe00", 125), refused},
		{"the PAN ID of a broadcast", activeOther + "0102ffff", refused},
		{"node, name", activeOther + name, at},
		{"node, channel", activeOther + name + otherChannel, waits},
		{"node, key", activeOther + name + otherKey, waits},
	} {
		m := leader(t)
		v := m.SetActive(unhex(t, tt.payload), session)
		timestamp, tlvs, _ := m.Active.Own()
		got := refused
		switch {
		case hex.EncodeToString(timestamp[:]) == otherTime && !m.Pending.Known():
			got = at
		case m.Pending.Known() && hex.EncodeToString(timestamp[:]) == someTime:
			got = waits
		}
		if got != tt.want || v.Accepted != (got != refused) || v.Accepted && v.Commissioner != strings.Contains(tt.payload, ofCommissioner) {
			t.Errorf("%s: %s, %+v", tt.name, got, v)
		}
		if _, ok := tlv.Find(tlvs, meshcop.TypeCommissionerSessionID); ok {
			t.Errorf("%s: the session is in the dataset", tt.name)
		}
		if key, ok := tlv.Find(tlvs, meshcop.TypeNetworkMasterKey); ok != (got != at || v.Commissioner) {
			t.Errorf("%s: key %x; a commissioner changes some of the dataset, a node all of it", tt.name, key)
		}
		if err := m.Active.Network().Check(); err != nil || got != at && m.Active.Network() != network {
			t.Errorf("%s: %+v", tt.name, m.Active.Network())
		}
	}
}

// A pending dataset waits for its delay, but for the minimum at least, which is longer for another key. Its active timestamp must be ahead,
// unless the key is another one (Thread 1.1 §8.7.5).
func TestSetPending(t *testing.T) {
	const pendingSome, pendingOther = "3308" + someTime, "3308" + otherTime
	const minute, tenMinutes = "34040000ea60", "3404000927c0"
	for _, tt := range []struct {
		name, payload string
		delay         time.Duration // 0: refused
	}{
		{"commissioner, PAN ID", activeOther + pendingOther + ofCommissioner + otherPAN + minute, time.Minute},
		{"too short", activeOther + pendingOther + ofCommissioner + otherPAN + tenSeconds, DefaultMinDelay},
		{"key, too short", activeOther + pendingOther + ofCommissioner + otherKey + minute, MinKeyDelay},
		{"key, long", activeOther + pendingOther + ofCommissioner + otherKey + tenMinutes, 10 * time.Minute},
		{"the same key", activeOther + pendingOther + ofCommissioner + "05100134c0de1ab51234c0de1ab5ca1a110f" + minute, time.Minute},
		{"key, its time begins anew", "0e08" + noTime + pendingOther + ofCommissioner + otherKey + minute, MinKeyDelay},
		{"another session", activeOther + pendingOther + "0b02abcd" + otherPAN + minute, 0},
		{"node", activeOther + pendingOther + otherPAN + minute, time.Minute},
		{"active timestamp as old", activeSome + pendingOther + ofCommissioner + otherPAN + minute, 0},
		{"pending timestamp as old", activeOther + pendingSome + ofCommissioner + otherPAN + minute, 0},
		{"no active timestamp", pendingOther + ofCommissioner + otherPAN + minute, 0},
		{"no pending timestamp", activeOther + ofCommissioner + otherPAN + minute, 0},
		{"no delay", activeOther + pendingOther + ofCommissioner + otherPAN, 0},
		{"no network", activeOther + pendingOther + ofCommissioner + "0003000009" + minute, 0},
		{"the PAN ID of a broadcast", activeOther + pendingOther + ofCommissioner + "0102ffff" + minute, 0},
		{"cut off", activeOther + pendingOther + ofCommissioner + "05", 0},
	} {
		m := leader(t)
		if err := m.Pending.Set([8]byte(unhex(t, someTime)), unhex(t, activeOther+"01021111"+tenMinutes), true); err != nil {
			t.Fatal(err)
		}
		v := m.SetPending(unhex(t, tt.payload), session)
		at, _ := m.Pending.NextTimeout()
		got, timestamp := at.Sub(m.Pending.core.Now), m.Pending.Timestamp()
		taken := hex.EncodeToString(timestamp[:]) == otherTime
		if v.Accepted != taken || taken != (tt.delay > 0) || taken && got != tt.delay {
			t.Errorf("%s: %+v, %v", tt.name, v, got)
		}
		if m.Active.Network() != network {
			t.Errorf("%s: at once %+v", tt.name, m.Active.Network())
		}
	}
}

// Who asks gets what he asks for, each once; the key only if the security policy allows it (Thread 1.1 §8.10.1.15).
func TestGet(t *testing.T) {
	m := leader(t)
	for payload, want := range map[string]string{
		"":                         activeSome + generated,
		"0d0103":                   "030a4f70656e546872656164",
		"0d020e01":                 activeSome + "01021234",
		"0d0405050505":             "05100134c0de1ab51234c0de1ab5ca1a110f",
		"0d01fe":                   "",
		"0d00":                     activeSome + generated,
		"0d05":                     activeSome + generated, // cut off
		"0d0133":                   "",
		"0302616" + "2" + "0d0101": "01021234",
	} {
		if got := hex.EncodeToString(m.GetActive(unhex(t, payload))); got != want {
			t.Errorf("%q: %s, want %s", payload, got, want)
		}
	}
	if got := m.GetPending(nil); len(got) != 0 {
		t.Errorf("%x", got)
	}
	if err := m.Pending.Set([8]byte(unhex(t, otherTime)), unhex(t, activeOther+otherPAN+otherKey+tenSeconds), true); err != nil {
		t.Fatal(err)
	}
	policy := "0c0302a07f" // not O
	if err := m.Active.Set([8]byte(unhex(t, someTime)), unhex(t, generated[:len(generated)-len(policy)]+policy), true); err != nil {
		t.Fatal(err)
	}
	for payload, want := range map[string]string{
		"":         "3308" + otherTime + activeOther + otherPAN + tenSeconds,
		"0d0101":   otherPAN + tenSeconds, // the delay always (§8.7.5.4)
		"0d020534": tenSeconds,
		"0d0133":   "3308" + otherTime + tenSeconds,
	} {
		if got := hex.EncodeToString(m.GetPending(unhex(t, payload))); got != want {
			t.Errorf("pending %q: %s, want %s", payload, got, want)
		}
	}
	if got := hex.EncodeToString(m.GetActive(unhex(t, "0d0105"))); got != "" {
		t.Errorf("the key: %s", got)
	}
}

// FuzzSet sends the leader any request: what it then has is a network, its datasets fit, and it answers.
func FuzzSet(f *testing.F) {
	for _, s := range []string{
		activeOther + ofCommissioner + name, activeOther + name + otherChannel, "3308" + otherTime + activeOther + otherKey + tenSeconds, "0d0105", "05",
	} {
		f.Add(unhex(f, s), false)
		f.Add(unhex(f, s), true)
	}
	f.Fuzz(func(t *testing.T, payload []byte, pending bool) {
		m := leader(t)
		var v Verdict
		if pending {
			v = m.SetPending(payload, session)
		} else {
			v = m.SetActive(payload, session)
		}
		if !v.Accepted && (m.Pending.Known() || m.Active.Network() != network) {
			t.Fatalf("%x is refused, and has changed something", payload)
		}
		m.Pending.core.Advance(m.Pending.core.Now.Add(maxDelay))
		if timestamp, tlvs, ok := m.Pending.Expired(); ok {
			if err := m.Active.Activate(timestamp, tlvs); err != nil {
				t.Fatalf("%x: accepted, but %v", payload, err)
			}
		} else if v.Accepted && pending {
			t.Fatalf("%x: never active", payload)
		}
		if err := m.Active.Network().Check(); err != nil {
			t.Fatalf("%x: %v", payload, err)
		}
		if n := len(m.GetActive(payload)); n > maxSize+2+timestampSize {
			t.Fatalf("%x: an answer of %d bytes", payload, n)
		}
		if n := len(m.GetPending(payload)); n > maxSize+2+timestampSize {
			t.Fatalf("%x: an answer of %d bytes", payload, n)
		}
	})
}
