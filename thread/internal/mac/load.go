package mac

import (
	"math"
	"time"
)

// load is how much of the channel's time others were heard to use lately, from 0 to about 1: a mean that forgets.
type load struct {
	share float64
	at    time.Time
}

const (
	// loadMemory is the time constant of the mean, in times of FrameTime.
	loadMemory = 16
	// longestPSDU and overhead in bytes make an airtime of a frame's length: of LoRa's preamble and header, which are as long whatever follows.
	longestPSDU, overhead = 127, 20
)

// hear notes a packet of somebody else's.
func (m *MAC) hear(now time.Time, psdu []byte) {
	if m.timing.LoadBE == 0 {
		return
	}
	l := &m.load
	l.share = l.now(now, m.memory()) + float64(len(psdu)+overhead)/(longestPSDU+overhead)/loadMemory
	l.at = now
}

func (m *MAC) memory() time.Duration { return loadMemory * m.timing.FrameTime }

func (l *load) now(now time.Time, memory time.Duration) float64 {
	return l.share * math.Exp(-float64(now.Sub(l.at))/float64(memory))
}

// Load returns the share of the channel's time that others were heard to use lately: 0 unless LoadBE is set.
func (m *MAC) Load() float64 {
	if m.timing.LoadBE == 0 || m.load.at.IsZero() {
		return 0
	}
	return m.load.now(m.core.Now, m.memory())
}

// contention is by how much the backoff exponent grows for the load: who starts at random within a longer time meets fewer others.
func (m *MAC) contention() int {
	return min(int(m.Load()*float64(m.timing.LoadBE+1)), m.timing.LoadBE)
}

// Silence is how long ago the last frame was heard, whoever has sent it.
func (m *MAC) Silence() time.Duration { return m.core.Now.Sub(m.load.at) }
