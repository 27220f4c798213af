package lora

import (
	"errors"
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	cfg := Config{Region: EU868, Frequency: 866 * MHz}
	data := make([]byte, 100)
	data[0] = 0x01 | 0x08 // secured
	ack := []byte{0x02, 0, 1, 0, 0}
	b := NewBudget(cfg, -1)
	var sent time.Duration
	for range 1000 {
		if err := b.Book(now, data); err != nil {
			if !errors.Is(err, ErrDutyCycle) {
				t.Fatal(err)
			}
			break
		}
		b.Settle(now.Add(time.Second), data, true)
		sent += cfg.Airtime(len(data))
		now = now.Add(time.Second)
	}
	if limit := 36 * time.Second; sent > limit*95/100 || sent < limit*90/100 {
		t.Errorf("data got %v of %v", sent, limit)
	}
	if err := b.Book(now, ack); err != nil {
		t.Errorf("no acknowledgment: %v", err)
	}
	b.Settle(now, ack, false)
	u := b.Usage(now)
	if len(u) != 1 || u[0].Used != sent || u[0].Refused != 1 || u[0].Limit != 36*time.Second {
		t.Errorf("usage %+v, sent %v", u, sent)
	}
	if err := b.Book(now.Add(2*time.Hour), data); err != nil {
		t.Errorf("two hours later: %v", err)
	}
}

func TestBudgetWithoutLimit(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, b := range []*Budget{NewBudget(Config{Region: EU868}, 1), NewBudget(Config{Region: US915}, -1)} {
		packet := make([]byte, MaxPacket)
		for range 10_000 {
			if err := b.Book(now, packet); err != nil {
				t.Fatal(err)
			}
			b.Settle(now, packet, true)
		}
	}
}
