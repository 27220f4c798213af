package main

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gopymesh/pymesh"
)

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		if err := run(t.Context(), nil, &out, 0); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		if !strings.Contains(out.String(), `has the key of "home"`) || !strings.Contains(out.String(), "reaches the owner's node") {
			t.Errorf("%s", &out)
		}
	})
}

func TestOtherPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		if err := run(t.Context(), []string{"-password", "J02NME"}, &out, 0); !errors.Is(err, pymesh.ErrPassword) {
			t.Errorf("%v\n%s", err, &out)
		}
	})
}
