package lora_test

import (
	"math"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// The currents are the data sheet's, and between them on straight lines.
func TestTransmitCurrent(t *testing.T) {
	for power, want := range map[int]float64{-4: 20, 2: 20, 7: 20, 10: 24.5, 13: 29, 14: 43.5, 15: 58, 17: 87, 18: 98, 20: 120, 22: 120} {
		if got := lora.TransmitCurrent(power); math.Abs(got-want) > 1e-9 {
			t.Errorf("%d dBm: %v mA, want %v", power, got, want)
		}
	}
}

func TestCharge(t *testing.T) {
	a := lora.Activity{Transmitting: 36 * time.Second, Receiving: 2 * time.Hour, Sleeping: 1000 * time.Hour}
	if got, want := a.Charge(20), 1.2+23+0.2; math.Abs(got-want) > 1e-9 {
		t.Errorf("%v mAh, want %v", got, want)
	}
}
