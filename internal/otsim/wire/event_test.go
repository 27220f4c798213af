package wire

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"
)

func TestEvent(t *testing.T) {
	tests := []struct {
		hex   string
		event Event
	}{
		{"0000000000000000" + "00" + "0000", Event{Type: EventAlarm}},
		{"40420f0000000000" + "00" + "0000", Event{Delay: 1e6, Type: EventAlarm}},
		{"0100000000000000" + "01" + "0600" + "0b0200017d2b", Event{1, EventRadio, []byte{0x0b, 0x02, 0x00, 0x01, 0x7d, 0x2b}}},
		{"0000000000000000" + "02" + "0200" + "3e20", Event{Type: EventUART, Data: []byte("> ")}},
	}
	for _, tt := range tests {
		want, err := hex.DecodeString(tt.hex)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tt.event.AppendBinary(nil); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v %x: %x, %v, want %x", tt.event.Type, tt.event.Data, got, err, want)
		}
		e, err := ParseEvent(want)
		if err != nil || e.Delay != tt.event.Delay || e.Type != tt.event.Type || !bytes.Equal(e.Data, tt.event.Data) {
			t.Errorf("%x: %+v, %v, want %+v", want, e, err, tt.event)
		}
		for n := range want {
			if _, err := ParseEvent(want[:n]); err == nil {
				t.Errorf("%x: no error", want[:n])
			}
		}
	}
	if _, err := (Event{Data: make([]byte, MaxData+1)}).AppendBinary(nil); err == nil {
		t.Error("an event with too much data was appended")
	}
}

func TestEventTimer(t *testing.T) {
	tests := []struct {
		delay uint64
		want  time.Duration
		ok    bool
	}{
		{0, 0, true},
		{1500, 1500 * time.Microsecond, true},
		{1<<31 - 1, (1<<31 - 1) * time.Microsecond, true},
		{1<<63 - 1, 0, false},
		{1<<64 - 1, 0, false},
	}
	for _, tt := range tests {
		if got, ok := (Event{Delay: tt.delay}).Timer(); got != tt.want || ok != tt.ok {
			t.Errorf("%d: %v, %v, want %v, %v", tt.delay, got, ok, tt.want, tt.ok)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	for _, e := range []Event{{}, {1, EventRadio, []byte{11, 2, 0, 1, 0, 0}}} {
		b, err := e.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEvent(b)
		if err != nil {
			return
		}
		if again, err := e.AppendBinary(nil); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x came back as %x, %v", b, again, err)
		}
	})
}
