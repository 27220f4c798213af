package dataset

import (
	"bytes"
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
	c := core.New(io.Reader(zeros{}), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{1})
	c.Advance(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	return c
}

const (
	activeSome  = "0e08" + someTime
	activeOther = "0e08" + otherTime
	nextPAN     = "0102abcd"
	tenSeconds  = "340400002710"
)

// pendingMessage is a message with a Pending Timestamp and a dataset; "-" leaves one out.
func pendingMessage(t testing.TB, timestamp, tlvs string) mle.Message {
	t.Helper()
	var b []byte
	if timestamp != "-" {
		b = mle.AppendTLV(b, mle.TLVPendingTimestamp, unhex(t, timestamp))
	}
	if tlvs != "-" {
		b = mle.AppendTLV(b, mle.TLVPendingOperationalDataset, unhex(t, tlvs))
	}
	return mle.Message{Command: mle.DataResponse, TLVs: b}
}

// passedOn is what a node tells others of its pending dataset.
func passedOn(p *Pending) string { return hex.EncodeToString(p.AppendTLVs(p.AppendTimestamp(nil))) }

// wantPassedOn is the same of a dataset.
func wantPassedOn(t testing.TB, timestamp, tlvs string) string {
	return hex.EncodeToString(pendingMessage(t, timestamp, tlvs).TLVs)
}

// A pending dataset is passed on with what is left of its delay, and becomes active when that is over.
func TestPending(t *testing.T) {
	c := newCore()
	p := NewPending(c)
	if _, ok := p.NextTimeout(); ok || p.Known() || passedOn(p) != "" {
		t.Error("there is one from the start")
	}
	m := pendingMessage(t, someTime, tenSeconds+activeOther+nextPAN)
	if missing, err := p.Learn(m); missing || err != nil {
		t.Fatal(missing, err)
	}
	clear(m.TLVs) // it must be a copy
	c.Advance(c.Now.Add(4 * time.Second))
	if got, want := passedOn(p), wantPassedOn(t, someTime, activeOther+nextPAN+"340400001770"); got != want {
		t.Errorf("passed on as %s, want %s", got, want)
	}
	if _, _, ok := p.Expired(); ok {
		t.Error("too early")
	}
	at, ok := p.NextTimeout()
	if !ok || at != c.Now.Add(6*time.Second) {
		t.Errorf("at %v, %v", at, ok)
	}
	c.Advance(at)
	timestamp, tlvs, ok := p.Expired()
	if !ok || hex.EncodeToString(timestamp[:]) != otherTime || hex.EncodeToString(tlvs) != nextPAN {
		t.Errorf("%v, %x, %x", ok, timestamp, tlvs)
	}
	if _, _, ok := p.Own(); ok || p.Known() {
		t.Error("still pending")
	}
}

// A pending dataset is learned where its timestamp is another one; one that is announced only is missing; what is malformed changes nothing.
func TestLearnPending(t *testing.T) {
	first := activeSome + "01021111" + tenSeconds
	for _, tt := range []struct {
		name, timestamp, tlvs string
		missing               bool
		err                   error
		want                  string // PAN ID that would be the next
	}{
		{"newer", otherTime, activeSome + nextPAN + tenSeconds, false, nil, nextPAN},
		{"newer, announced", otherTime, "-", true, nil, "01021111"},
		{"older", noTime, activeSome + nextPAN + tenSeconds, false, nil, nextPAN},
		{"the same", someTime, activeSome + nextPAN + tenSeconds, false, nil, "01021111"},
		{"none", "-", activeSome + nextPAN + tenSeconds, false, nil, "01021111"},
		{"without delay", otherTime, activeSome + nextPAN, false, nil, nextPAN},
		{"without active timestamp", otherTime, nextPAN + tenSeconds, false, errNoActiveTimestamp, "01021111"},
		{"malformed", otherTime, activeSome + "0101ab", false, meshcop.ErrTLVLength, "01021111"},
		{"cut off", otherTime, activeSome + "05", false, tlv.ErrTruncated, "01021111"},
		{"too long", otherTime, activeSome + strings.Repeat("fe00", 123), false, errTooLong, "01021111"},
	} {
		p := NewPending(newCore())
		if missing, err := p.Learn(pendingMessage(t, someTime, first)); missing || err != nil {
			t.Fatal(missing, err)
		}
		missing, err := p.Learn(pendingMessage(t, tt.timestamp, tt.tlvs))
		if missing != tt.missing || !errors.Is(err, tt.err) {
			t.Errorf("%s: missing %v, %v", tt.name, missing, err)
		}
		if next, ok := p.Next(); !ok || hex.EncodeToString(next) != tt.want {
			t.Errorf("%s: %v, %x", tt.name, ok, next)
		}
		if _, runs := p.NextTimeout(); runs == (tt.name == "without delay") {
			t.Errorf("%s: time runs %v", tt.name, runs)
		}
	}
}

// The newest dataset that a node knows is kept, and told to the leader, when the partition has an older one or none. The partition's time counts.
func TestOwnPending(t *testing.T) {
	c := newCore()
	p := NewPending(c)
	if err := p.Set([8]byte(unhex(t, otherTime)), unhex(t, activeOther+nextPAN+"340400010000"), true); err != nil {
		t.Fatal(err)
	}
	if p.Unregistered() {
		t.Error("the partition has it")
	}
	if _, err := p.Learn(pendingMessage(t, someTime, activeSome+"01021111"+tenSeconds)); err != nil {
		t.Fatal(err)
	}
	own, _, _ := p.Own()
	if at, _ := p.NextTimeout(); !p.Unregistered() || hex.EncodeToString(own[:]) != otherTime || at != c.Now.Add(10*time.Second) {
		t.Errorf("unregistered %v, %x, at %v", p.Unregistered(), own, at)
	}
	p.Absent()
	if at, _ := p.NextTimeout(); !p.Unregistered() || p.Known() || at != c.Now.Add(65536*time.Millisecond) {
		t.Errorf("unregistered %v, known %v, at %v", p.Unregistered(), p.Known(), at)
	}
	if p.Obsolete([8]byte(unhex(t, someTime))); !p.Unregistered() {
		t.Error("forgotten while it is to come")
	}
	if p.Obsolete([8]byte(unhex(t, otherTime))); p.Unregistered() {
		t.Error("the active one is as new")
	}
}

// One that was stored waits until somebody tells what is left of its time, or the node leads a partition.
func TestRestorePending(t *testing.T) {
	c := newCore()
	first := NewPending(c)
	if err := first.Set([8]byte(unhex(t, someTime)), unhex(t, activeSome+nextPAN+tenSeconds), true); err != nil {
		t.Fatal(err)
	}
	c.Advance(c.Now.Add(3 * time.Second))
	timestamp, tlvs, _ := first.Own()

	p := NewPending(c)
	if err := p.Restore(timestamp, tlvs); err != nil {
		t.Fatal(err)
	}
	if _, runs := p.NextTimeout(); runs || p.Known() || !p.Unregistered() {
		t.Error("as if the partition had it")
	}
	if _, stored, ok := p.Own(); !ok || !bytes.Equal(stored, tlvs) {
		t.Errorf("stored again as %x, want %x", stored, tlvs)
	}
	p.Lead()
	if at, ok := p.NextTimeout(); !ok || at != c.Now.Add(7*time.Second) || !p.Known() {
		t.Errorf("at %v, %v", at, ok)
	}

	p = NewPending(c)
	if err := p.Restore(timestamp, tlvs); err != nil {
		t.Fatal(err)
	}
	if missing, err := p.Learn(pendingMessage(t, someTime, activeSome+nextPAN+"340400000064")); missing || err != nil {
		t.Fatal(missing, err)
	}
	if at, ok := p.NextTimeout(); !ok || at != c.Now.Add(100*time.Millisecond) || p.Unregistered() {
		t.Errorf("at %v, %v, unregistered %v", at, ok, p.Unregistered())
	}
	if err := p.Restore(timestamp, unhex(t, "05")); err == nil {
		t.Error("a damaged one is taken")
	}
}

// FuzzLearnPending feeds the TLVs of any message: the dataset changes whole or not at all, and is passed on in a form in which another node
// learns the same.
func FuzzLearnPending(f *testing.F) {
	for _, timestamp := range []string{noTime, someTime, otherTime, "-", "00"} {
		for _, tlvs := range []string{activeSome + nextPAN + tenSeconds, activeOther + generated, "", "-", "05"} {
			f.Add(pendingMessage(f, timestamp, tlvs).TLVs)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := newCore()
		p, m := NewPending(c), mle.Message{Command: mle.DataResponse, TLVs: b}
		missing, err := p.Learn(m)
		if p.Known() == (missing || err != nil) && p.Known() {
			t.Fatalf("%x: missing %v, %v", b, missing, err)
		}
		told := p.AppendTLVs(p.AppendTimestamp(nil))
		if len(told) > 2+timestampSize+2+maxSize {
			t.Fatalf("%x: passed on as %x", b, told)
		}
		other := NewPending(c)
		if _, err := other.Learn(mle.Message{Command: mle.DataResponse, TLVs: told}); err != nil {
			t.Fatalf("%x: passed on as %x: %v", b, told, err)
		}
		if again := other.AppendTLVs(other.AppendTimestamp(nil)); !bytes.Equal(again, told) && len(told) > 2+timestampSize {
			t.Fatalf("%x: %x, then %x", b, told, again)
		}
		a := New(network, usual)
		c.Advance(c.Now.Add(maxDelay))
		if timestamp, tlvs, ok := p.Expired(); ok {
			_ = a.Activate(timestamp, tlvs)
		}
		if err := a.Network().Check(); err != nil {
			t.Fatalf("%x: %v", b, err)
		}
	})
}
