package main

import (
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
)

func TestHatOptions(t *testing.T) {
	sf12 := lora.Config{SpreadingFactor: lora.SF12}
	for _, tt := range []struct {
		args   string
		radio  lora.Config
		timing thread.Timing
	}{
		{"-sx1276 dragino 7", lora.Config{}, thread.TimingPymesh()},
		{"-vt -sx1276 dragino -sf 12 7", sf12, thread.TimingFor(sf12.Airtime)},
		{"-sx1276 dragino -sf 12 -timing pymesh 7", sf12, thread.TimingForBoards(sf12.Airtime)},
	} {
		tt.timing.SetSensitivity(tt.radio.Sensitivity())
		t.Setenv(timingVariable, "")
		o, err := parseOptions(strings.Fields(tt.args), io.Discard)
		if err != nil || o.hat == nil || o.id != 7 || o.virtual {
			t.Errorf("%s: %+v, %v", tt.args, o, err)
			continue
		}
		cfg, err := o.config(io.Discard)
		if err != nil || cfg.Logger == nil || !reflect.DeepEqual(cfg.Timing, tt.timing) {
			t.Errorf("%s: timing %+v, %v; want %+v", tt.args, cfg.Timing, err, tt.timing)
		}
	}
	for args, want := range map[string]string{
		"-sx1276 none 7":                 "known are",
		"-sx1276 dragino":                "the node id",
		"-sx1276 dragino -sim":           "exclude each other",
		"-sx1276 dragino -frequency 1 7": "not in 100 MHz to 3 GHz",
	} {
		if _, err := parseOptions(strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

func TestHatMissing(t *testing.T) {
	o, err := parseOptions(strings.Fields("-sx1276 dragino -spi-bus 99 7"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := o.config(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := o.place(&cfg); err == nil {
		p.Close()
		t.Error("a hat without a device file opens")
	}
}
