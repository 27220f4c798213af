package thread

import (
	"testing"
	"time"
)

// TestVainSearches: partitions of which nobody answers are searched for after pauses that double from one to 64 units, however many are
// heard of; one that answers, or was not heard of for long, is searched for at once.
func TestVainSearches(t *testing.T) {
	const unit = time.Second
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	count := func(partitions uint32, d time.Duration) (n int) {
		var v vainSearches
		for at := time.Duration(0); at < d; at += unit {
			for p := range partitions {
				if ok, again := v.begin(start.Add(at), p, unit, false); ok {
					n++
					if again != (at > 0) && partitions == 1 {
						t.Errorf("after %v: again %v", at, again)
					}
				}
			}
		}
		return n
	}
	if n := count(1, 127*unit); n != 7 {
		t.Errorf("%d searches while the pauses double, want 7", n)
	}
	if one, many := count(1, time.Hour), count(100, time.Hour); one > 65 || many > maxVainSearches*one {
		t.Errorf("in an hour %d searches for one partition, %d for a hundred", one, many)
	}

	var v vainSearches
	at := start
	for range 20 {
		v.begin(at, 7, unit, false)
		at = at.Add(unit)
	}
	if ok, _ := v.begin(at, 7, unit, false); ok {
		t.Error("no pause")
	}
	v.answered(8)
	if ok, _ := v.begin(at, 7, unit, false); ok {
		t.Error("another one has answered")
	}
	v.answered(7)
	if ok, again := v.begin(at, 7, unit, false); !ok || again {
		t.Error("a pause after an answer")
	}
	for range 3 {
		v.begin(at, 7, unit, false)
		at = at.Add(4 * unit)
	}
	if ok, again := v.begin(at.Add(100*unit), 7, unit, false); !ok || again {
		t.Error("not forgotten")
	}

	// News is heard once in a while, and recordings in between: for patience searches one in two units is for a search, then fewer.
	v, at = vainSearches{}, start
	n := 0
	for i := range 1600 {
		if ok, _ := v.begin(at, 7, unit, i%2 == 0); ok {
			n++
		}
		at = at.Add(unit)
		if i == 2*patience-1 && n != patience {
			t.Errorf("%d searches at first, want %d", n, patience)
		}
	}
	if want := 1600 >> maxNewsDoublings; n < want || n > want+2*patience+2 {
		t.Errorf("%d searches in 1600 units, want one in %d at last", n, 1<<maxNewsDoublings)
	}
}
