package thread

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

func newTestEngine(t testing.TB) *Engine {
	t.Helper()
	e, err := New(Config{ExtAddr: ieee802154.ExtAddr{1}, Rand: rand.NewChaCha8([32]byte{}), Timing: TimingIEEE802154()})
	if err != nil {
		t.Fatal(err)
	}
	e.Advance(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	return e
}

// TestComparePartitions puts partitions of several routers before those of one, then goes by weight, then by ID.
func TestComparePartitions(t *testing.T) {
	type p struct {
		single bool
		mle.LeaderData
	}
	data := func(weight uint8, id uint32) mle.LeaderData {
		return mle.LeaderData{Weighting: weight, PartitionID: id}
	}
	// From the worst to the best.
	order := []p{
		{true, data(1, 5)}, {true, data(64, 1)}, {true, data(64, 0xffffffff)}, {true, data(255, 1)},
		{false, data(1, 5)}, {false, data(64, 1)}, {false, data(64, 0xffffffff)}, {false, data(255, 1)},
	}
	for i, a := range order {
		for k, b := range order {
			got := comparePartitions(a.single, a.LeaderData, b.single, b.LeaderData)
			if (got > 0) != (i > k) || (got < 0) != (i < k) {
				t.Errorf("%+v against %+v: %d", a, b, got)
			}
		}
	}
}

// Of a partition's successors the one whose turn came first is better; all are better than the partition, and no better than one that was.
func TestSuccessorID(t *testing.T) {
	const old, better = 0xffa2fc02, 0xffdf71dd
	first, last := successorID(old, 0), successorID(old, mle.MaxRouterID)
	if first <= last || last <= old || first >= better {
		t.Errorf("%x and %x succeed %x", first, last, uint32(old))
	}
	if again := successorID(first, 5); again <= first || again >= better {
		t.Errorf("%x succeeds %x", again, first)
	}
	if id := successorID(0x12345678, 3); id < ownPartitions {
		t.Errorf("%x is none of our own", id)
	}
	if id := successorID(0xffffffff, 3); id < ownPartitions {
		t.Errorf("%x after the highest", id)
	}
}
