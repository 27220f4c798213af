package mac

import (
	"testing"
	"time"
)

// The fuller the channel is heard, the longer is the time within which this node starts; it forgets what it has heard, and without LoadBE it
// never knew.
func TestLoad(t *testing.T) {
	loaded := timing
	loaded.LoadBE = 3
	n, plain := newNode(t, loaded), newNode(t, timing)
	if n.Load() != 0 || n.contention() != 0 {
		t.Errorf("load %v before anything was heard", n.Load())
	}
	psdu := make([]byte, longestPSDU)
	for range 200 { // frame after frame
		for _, x := range []*node{n, plain} {
			x.core.Advance(x.core.Now.Add(loaded.FrameTime))
			x.MAC.hear(x.core.Now, psdu)
		}
	}
	if got := n.Load(); got < 0.9 || got > 1.1 {
		t.Errorf("load %v of a channel that is full", got)
	}
	if got := n.contention(); got != loaded.LoadBE {
		t.Errorf("the exponent grows by %d, want %d", got, loaded.LoadBE)
	}
	if plain.Load() != 0 || plain.contention() != 0 {
		t.Errorf("load %v without LoadBE", plain.Load())
	}
	n.core.Advance(n.core.Now.Add(10 * time.Duration(loadMemory) * loaded.FrameTime))
	if n.contention() != 0 {
		t.Errorf("load %v long after the last frame", n.Load())
	}
}
