package keychain

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A memory is where the limits of a counter are stored, and how often that was asked for.
type memory struct {
	Counter
	limit uint32
	asked int
	fails bool
}

// reserve stores another limit, as Take asks for.
func (m *memory) reserve() bool {
	m.asked++
	if m.fails {
		return false
	}
	m.limit = m.Limit()
	m.Stored(m.limit)
	return true
}

// Values count up from zero; a limit is stored before the first and whenever it is reached.
func TestCounter(t *testing.T) {
	var m memory
	for want := range uint32(3 * CounterAhead) {
		if got := m.Next(); got != want {
			t.Fatalf("next %d, want %d", got, want)
		}
		got, ok := m.Take(m.reserve)
		if got != want || !ok {
			t.Fatalf("%d, %v, want %d", got, ok, want)
		}
		if got >= m.limit {
			t.Fatalf("%d is used, stored is %d", got, m.limit)
		}
	}
	if m.asked != 3 {
		t.Errorf("stored %d times", m.asked)
	}
}

// Nothing is secured while the store fails; then it goes on with the next value.
func TestCounterNotStored(t *testing.T) {
	m := memory{fails: true}
	for range 3 {
		if v, ok := m.Take(m.reserve); ok {
			t.Fatalf("%d", v)
		}
	}
	m.fails = false
	for want := range uint32(CounterAhead) {
		if v, ok := m.Take(m.reserve); v != want || !ok {
			t.Fatalf("%d, %v, want %d", v, ok, want)
		}
	}
	m.fails = true
	if v, ok := m.Take(m.reserve); ok || m.Next() != CounterAhead {
		t.Errorf("%d at the limit, next %d", v, m.Next())
	}
	m.fails = false
	if v, ok := m.Take(m.reserve); v != CounterAhead || !ok {
		t.Errorf("%d, %v", v, ok)
	}
	if m.asked != 6 {
		t.Errorf("asked to store %d times", m.asked)
	}
}

// A limit that is stored at another occasion counts as well.
func TestCounterStored(t *testing.T) {
	var m memory
	m.Stored(m.Limit())
	for range CounterAhead {
		if _, ok := m.Take(nil); !ok {
			t.Fatal("not given out below the limit")
		}
	}
	m.Stored(m.Limit())
	if v, ok := m.Take(nil); v != CounterAhead || !ok {
		t.Errorf("%d, %v", v, ok)
	}
}

// When half of what was stored ahead is used up it is time to store more, so that no frame has to wait for that.
func TestCounterLow(t *testing.T) {
	var m memory
	if !m.Low() {
		t.Error("nothing is stored, and that is enough")
	}
	for range 3 {
		m.Stored(m.Limit())
		for n := range CounterAhead/2 + 1 {
			if m.Low() {
				t.Fatalf("low after %d", n)
			}
			m.Take(nil)
		}
		if !m.Low() {
			t.Error("not low with less than a half left")
		}
	}
	m.Reset()
	if !m.Low() {
		t.Error("what was stored for another key is enough")
	}
}

// A node that restarts goes on from the limit that was stored, and stores another one first.
func TestCounterRestore(t *testing.T) {
	var m memory
	m.Restore(5000)
	m.fails = true
	if v, ok := m.Take(m.reserve); ok || m.asked != 1 {
		t.Errorf("%d without a limit", v)
	}
	m.fails = false
	if v, ok := m.Take(m.reserve); v != 5000 || !ok || m.limit != 5000+CounterAhead {
		t.Errorf("%d, %v, stored %d", v, ok, m.limit)
	}
	m.Reset()
	m.limit = 0
	if v, ok := m.Take(m.reserve); v != 0 || !ok || m.limit != CounterAhead {
		t.Errorf("under another key: %d, %v, stored %d", v, ok, m.limit)
	}
}

// A counter is raised, and never lowered.
func TestCounterRaise(t *testing.T) {
	var m memory
	m.Raise(5000)
	m.Raise(4000)
	if v, ok := m.Take(m.reserve); v != 5000 || !ok {
		t.Errorf("%d, %v, want 5000", v, ok)
	}
}

// Under one key no value is used twice, whenever the node crashes and whatever the store does. A crash costs at most as many values as
// are stored ahead.
func TestCounterNeverTwice(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 0))
		var m memory
		next := uint32(0) // least value that was not used
		for range 100 {
			switch r.IntN(4) {
			case 0: // crash
				before := m.Next()
				m.Restore(m.limit)
				if m.Next() < next || m.Next() > before+CounterAhead {
					t.Fatalf("seed %d: from %d on after a crash at %d", seed, m.Next(), before)
				}
			case 1: // a crash with the limit stored, and nobody told of it
				m.limit = m.Limit()
				m.Restore(m.limit)
			case 2: // the settings are stored for another reason
				m.limit = m.Limit()
				m.Stored(m.limit)
			default:
				m.fails = r.IntN(3) == 0
				for range r.IntN(2 * CounterAhead) {
					v, ok := m.Take(m.reserve)
					if !ok {
						break
					}
					if v < next || v >= m.limit {
						t.Fatalf("seed %d: %d is used, %d was not yet, stored is %d", seed, v, next, m.limit)
					}
					next = v + 1
				}
			}
		}
	}
}

// The counter ends before its largest value, which no frame may carry (IEEE 802.15.4-2006 §7.5.8.2.3), and does not begin anew.
func TestCounterUsedUp(t *testing.T) {
	var m memory
	m.Restore(math.MaxUint32 - counterEnd - 5)
	next := m.Next()
	for {
		if ending := next > math.MaxUint32-counterEnd; m.Ending() != ending {
			t.Fatalf("%d: ending %v", next, m.Ending())
		}
		v, ok := m.Take(m.reserve)
		if !ok {
			break
		}
		if v != next || v >= m.limit {
			t.Fatalf("%d, want %d, stored is %d", v, next, m.limit)
		}
		next++
	}
	if next != math.MaxUint32 {
		t.Errorf("used up at %d", next)
	}
	asked := m.asked
	for range 3 {
		if v, ok := m.Take(m.reserve); ok || m.asked != asked || m.Low() {
			t.Errorf("%d after the last one", v)
		}
	}
	m.Restore(m.limit)
	if v, ok := m.Take(m.reserve); ok || m.limit < next {
		t.Errorf("%d after a restart, stored is %d", v, m.limit)
	}
	for _, restored := range []uint32{math.MaxUint32 - 1, math.MaxUint32} {
		m.Restore(restored)
		if m.Limit() != math.MaxUint32 || !m.Ending() {
			t.Errorf("from %d on: limit %d, ending %v", restored, m.Limit(), m.Ending())
		}
		if v, ok := m.Take(m.reserve); ok != (restored < math.MaxUint32) || ok && v != restored {
			t.Errorf("%d, %v from %d on", v, ok, restored)
		}
	}
}

// Without its limit a counter goes on once another one is stored.
func TestCounterRevoke(t *testing.T) {
	var m memory
	m.Take(m.reserve)
	m.Revoke()
	m.fails = true
	if v, ok := m.Take(m.reserve); ok {
		t.Errorf("%d without a limit", v)
	}
	if !m.Low() {
		t.Error("no need to store")
	}
	m.fails = false
	if v, ok := m.Take(m.reserve); v != 1 || !ok {
		t.Errorf("%d, %v", v, ok)
	}
}
