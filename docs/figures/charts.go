package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gopymesh/pymesh/internal/fields"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

var spreadingFactors = []lora.SpreadingFactor{lora.SF7, lora.SF8, lora.SF9, lora.SF10, lora.SF11, lora.SF12}

// chart is a plot over the spreading factors.
type chart struct {
	title  string
	unit   func(v float64) string
	values []float64
	color  int
	bound  float64 // a line to stay below, 0 for none
	ticks  []float64
}

// bars draws charts side by side, each with a scale of its own that grows by powers.
func bars(title, foot string, charts []chart) []byte {
	const width, height, top, bottom, gap = 300.0, 300.0, 84.0, 52.0, 12.0
	c := new(canvas)
	c.text(16, 26, "head", start, title)
	for i, ch := range charts {
		left := gap + width*float64(i) + 46
		right := gap + width*float64(i+1) - 14
		low, high := ch.ticks[0], ch.ticks[len(ch.ticks)-1]
		y := func(v float64) float64 {
			share := math.Log(max(v, low)/low) / math.Log(high/low)
			return height - bottom - min(share, 1)*(height-top-bottom)
		}
		c.text(left-36, top-28, "", start, ch.title)
		for _, t := range ch.ticks {
			c.line(left, y(t), right, y(t), "grid")
			c.text(left-6, y(t)+4, "small", end, ch.unit(t))
		}
		step := (right - left) / float64(len(ch.values))
		for j, v := range ch.values {
			x := left + step*(float64(j)+0.5)
			c.rect(x-step*0.32, y(v), step*0.64, height-bottom-y(v), fmt.Sprintf("c%d", ch.color))
			c.text(x, height-bottom+17, "small", middle, spreadingFactors[j].String())
		}
		if ch.bound > 0 {
			c.line(left, y(ch.bound), right, y(ch.bound), "line s5 dash")
		}
		for j, v := range ch.values {
			c.text(left+step*(float64(j)+0.5), y(v)-5, "small halo", middle, ch.unit(v))
		}
	}
	c.text(16, height-14, "small", start, foot)
	return c.picture(2*gap+width*float64(len(charts)), height, title)
}

func seconds(v float64) string {
	switch {
	case v < 0.1:
		return fmt.Sprintf("%.0f ms", 1000*v)
	case v < 1:
		return fmt.Sprintf("%.2f s", v)
	case v < 10:
		return fmt.Sprintf("%.1f s", v)
	}
	return fmt.Sprintf("%.0f s", v)
}

func minutes(v float64) string { return fmt.Sprintf("%d:%02d", int(v)/60, int(v)%60) }

// frameSize is that of the longest frame of a mesh, shortFrame that of one with 20 bytes for an application, in bytes.
const (
	frameSize  = 127
	shortFrame = 66
)

// airtimes draws what a frame costs and how far it goes.
func airtimes() []byte {
	var short, long, floor []float64
	for _, sf := range spreadingFactors {
		c := lora.Config{SpreadingFactor: sf}
		short = append(short, c.Airtime(shortFrame).Seconds())
		long = append(long, c.Airtime(frameSize).Seconds())
		// 14 dBm to what is just heard, over the simulated air's loss of 31.2 dB at 1 m and exponent 3.5.
		floor = append(floor, math.Pow(10, (14-c.Sensitivity()-lorasim.DefaultLoss1m)/(10*lorasim.DefaultExponent))/1000)
	}
	ticks := []float64{0.01, 0.1, 1, 10}
	return bars("What a spreading factor costs and brings, at 125 kHz and 14 dBm", "Range: on the simulated air, with a path loss exponent of 3.5. Hills, houses and antennas decide more than that.", []chart{
		{title: "a frame with 20 bytes of data", unit: seconds, values: short, color: blue, ticks: ticks},
		{title: "the longest frame, 127 bytes", unit: seconds, values: long, color: violet, ticks: ticks},
		{title: "reach of one hop", unit: func(v float64) string { return fmt.Sprintf("%.1f km", v) }, values: floor, color: green, ticks: []float64{0.5, 1, 2, 4}},
	})
}

// seeds is how many runs make a figure.
const seeds = 3

// settings draws what a small mesh does at each spreading factor.
func settings() ([]byte, error) {
	field, err := fields.Named("chain4", 1)
	if err != nil {
		return nil, err
	}
	var formed, trip, busiest []float64
	for _, sf := range spreadingFactors {
		var surveys []fields.Survey
		for seed := range uint64(seeds) {
			s, err := fields.Run(context.Background(), fields.Trial{
				Field: field, Seed: seed + 1, Air: lorasim.Options{Config: lora.Config{SpreadingFactor: sf}},
				Traffic: fields.Traffic{Pattern: fields.Reports, Period: 10 * time.Minute, Size: 20, Limit: 2 * time.Minute},
			})
			if err != nil {
				return nil, err
			}
			surveys = append(surveys, s)
		}
		sum := fields.Summarize(surveys...)
		if len(sum.Formed) < seeds || len(sum.Trips) == 0 {
			return nil, fmt.Errorf("%v: no mesh", sf)
		}
		formed = append(formed, sum.Formed[seeds/2].Seconds())
		trip = append(trip, fields.Quantile(sum.Trips, 0.5).Seconds())
		busiest = append(busiest, sum.Busiest.Seconds())
	}
	return bars("Four nodes in a row; three send 20 bytes to the first every 10 minutes, and it answers", "Three simulated hours each. Red: 36 s, the 1 % duty cycle of most of the European band; at 869.525 MHz 360 s are allowed.", []chart{
		{title: "one mesh after, in minutes", unit: minutes, values: formed, color: blue, ticks: []float64{10, 60, 600, 3600}},
		{title: "half of the answers come within", unit: seconds, values: trip, color: green, ticks: []float64{0.1, 1, 10, 100}},
		{title: "the busiest node sends in an hour", unit: seconds, values: busiest, color: orange, ticks: []float64{1, 10, 100, 1000}, bound: 36},
	}), nil
}
