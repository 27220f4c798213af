package main

import (
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadPlain(t *testing.T) {
	long := strings.Repeat("x", maxInput+10)
	for _, tt := range []struct {
		in   string
		want []string
	}{
		{"state\npanid\n", []string{"state", "panid"}},
		{"state\r\npanid\r\n", []string{"state", "panid"}},
		{"state\rpanid\r", []string{"state", "panid"}},
		{"\r\n\n\rstate\n", []string{"", "", "", "state"}},
		{"state\nunfinished", []string{"state"}},
		{"state\n\x03panid\n", []string{"state"}},
		{"a\x04b\n\x04panid\n", []string{"a\x04b"}},
		{long + "\nstate\n", []string{long[:maxInput], "state"}},
	} {
		var got []string
		handle := func(line string) bool {
			got = append(got, line)
			return true
		}
		readPlain(iotest.OneByteReader(strings.NewReader(tt.in)), handle)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestReadPlainStops(t *testing.T) {
	calls := 0
	readPlain(strings.NewReader("one\ntwo\n"), func(string) bool {
		calls++
		return false
	})
	if calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
}
