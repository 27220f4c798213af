package pymesh

import (
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
)

// Timing is how long a node waits for what: some fifty constants of Thread, made to fit a radio, for [WithTiming]. The zero value is not usable.
type Timing struct{ t thread.Timing }

// TimingFor returns the timing for a mesh on radios with these settings, which is what a node has by default: at SF7 and SF8 on 125 kHz that of
// Pycom's boards.
func TimingFor(cfg lora.Config) Timing {
	t := thread.TimingFor(cfg.Airtime)
	t.SetSensitivity(cfg.Sensitivity())
	return Timing{t}
}

// TimingForBoards returns the timing for a mesh with Pycom's boards at slower settings than SF8 on 125 kHz, where the boards keep their own: all
// that a node tells others is what they expect.
func TimingForBoards(cfg lora.Config) Timing {
	t := thread.TimingForBoards(cfg.Airtime)
	t.SetSensitivity(cfg.Sensitivity())
	return Timing{t}
}

// TimingOf returns a timing of package thread, for who knows that package: its fields change from version to version.
func TimingOf(t thread.Timing) Timing { return Timing{t} }
