package main

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	mathrand "math/rand/v2"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
)

// spacing is the distance in meters between the nodes of the simulated air, which stand in a row: each hears two or three to either
// side.
const spacing = 400

// simulate makes the simulated air and the other nodes on it.
func (o options) simulate(cfg *thread.Config) (place, error) {
	air := lorasim.NewAir(lorasim.Options{Seed: o.seed, Speed: o.speed})
	cfg.Store = new(thread.MemoryStore)
	var nodes []*pymesh.Node
	stop := func() {
		for _, n := range nodes {
			_ = n.Close() // its radio has no fault to report
		}
	}
	key, err := pymesh.KeyOf(cfg.NetworkKey[:])
	if err != nil {
		return nil, err
	}
	for i := range o.nodes {
		radio := air.Radio(lora.Config{}, lorasim.Position{X: float64(i+1) * spacing})
		n, err := pymesh.New(radio, pymesh.WithKey(key), pymesh.WithTiming(pymesh.TimingOf(cfg.Timing)),
			pymesh.WithRand(o.random(i+1)))
		if err != nil {
			stop()
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return radioPlace{radio: air.Radio(lora.Config{}, lorasim.Position{}), stop: stop}, nil
}

// random returns the random numbers of a node.
func (o options) random(id int) io.Reader {
	if o.seed == 0 {
		return rand.Reader
	}
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], o.seed)
	binary.BigEndian.PutUint64(seed[8:], uint64(id))
	return mathrand.NewChaCha8(seed)
}
