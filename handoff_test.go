package pymesh

import (
	"testing"
	"testing/synctest"
)

// TestHandoff: of what a handler is too slow for the oldest gives way, and is counted.
func TestHandoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h handoff[int]
		if h.put(0) {
			t.Error("taken without a handler")
		}
		var got []int
		wait := make(chan struct{})
		h.set(func(v int) { <-wait; got = append(got, v) })
		for i := range receiveQueue + 4 {
			h.put(i)
			synctest.Wait() // the handler has the first
		}
		close(wait)
		synctest.Wait()
		if len(got) != receiveQueue+1 || got[0] != 0 || got[1] != 4 || h.lost() != 3 {
			t.Errorf("%d values, %v, %d lost", len(got), got, h.lost())
		}
	})
}
