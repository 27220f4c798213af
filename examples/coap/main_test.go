package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
)

// TestCoAP: confirmable messages and a block-wise transfer of 2 kB over three hops.
func TestCoAP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), &out); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		for _, want := range []string{"3 hops", "12 bytes there and back: Content", "2048 bytes there and back: Content"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, &out)
			}
		}
	})
}
