package mac

import (
	"errors"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
)

func TestFilterModes(t *testing.T) {
	for _, tt := range []struct {
		mode                   FilterMode
		name                   string
		listed, fixed, unknown bool // passes
	}{
		{FilterOff, "off", true, true, true},
		{FilterWhitelist, "whitelist", true, false, false},
		{FilterBlacklist, "blacklist", false, true, true},
	} {
		var f Filter
		f.SetMode(tt.mode)
		if err := f.List(childExt); err != nil {
			t.Fatal(err)
		}
		if err := f.Fix(farExt, -60); err != nil { // which is not to list it
			t.Fatal(err)
		}
		if f.Mode() != tt.mode || f.Mode().String() != tt.name {
			t.Errorf("mode %v, want %s", f.Mode(), tt.name)
		}
		if f.pass(childExt) != tt.listed || f.pass(farExt) != tt.fixed || f.pass(stranger) != tt.unknown {
			t.Errorf("%v: passes %v, %v, %v", tt.mode, f.pass(childExt), f.pass(farExt), f.pass(stranger))
		}
	}
	if got := FilterMode(7).String(); got != "FilterMode(7)" {
		t.Error(got)
	}
}

func TestFilterList(t *testing.T) {
	var f Filter
	if err := f.Unlist(childExt); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("unlisting what is not listed: %v", err)
	}
	for i, want := range []error{nil, core.ErrExists} {
		if err := f.List(childExt); !errors.Is(err, want) {
			t.Errorf("listing, time %d: %v", i+1, err)
		}
	}
	if err := f.Fix(childExt, -60); err != nil {
		t.Fatal(err)
	}
	if err := f.Unlist(childExt); err != nil {
		t.Fatal(err)
	}
	if err := f.Unlist(childExt); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("unlisting again: %v", err)
	}
	if got := f.Entries(); len(got) != 1 || got[0] != (FilterEntry{ExtAddr: childExt, Fixed: true, RSSI: -60}) {
		t.Errorf("%+v", got)
	}
	for _, a := range []ieee802154.ExtAddr{childExt, farExt} {
		if err := f.List(a); err != nil {
			t.Fatal(err)
		}
	}
	f.UnlistAll()
	if got := f.Entries(); len(got) != 1 || got[0].Listed {
		t.Errorf("%+v", got)
	}
}

func TestFilterRSSI(t *testing.T) {
	var f Filter
	want := func(step string, child, other int) {
		t.Helper()
		for a, rssi := range map[ieee802154.ExtAddr]int{childExt: child, farExt: other} {
			got, ok := f.fixedRSSI(a)
			if !ok {
				got = neighbors.RSSIUnknown
			}
			if got != rssi {
				t.Errorf("%s: %v has %d dBm, want %d", step, a, got, rssi)
			}
		}
	}
	const none = neighbors.RSSIUnknown
	want("at first", none, none)
	if err := f.Unfix(childExt); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("unfixing what is not fixed: %v", err)
	}
	fix := func(rssi int) {
		t.Helper()
		if err := f.Fix(childExt, rssi); err != nil {
			t.Fatal(err)
		}
	}
	fix(-60)
	want("one", -60, none)
	f.FixAll(-80)
	want("and all others", -60, -80)
	if rssi, ok := f.RSSI(); !ok || rssi != -80 {
		t.Errorf("of all: %d, %v", rssi, ok)
	}
	fix(none)
	want("none for one: that of all", -80, -80)
	fix(-61)
	f.UnfixAll()
	want("one again", -61, none)
	if err := f.Unfix(childExt); err != nil {
		t.Fatal(err)
	}
	if err := f.Unfix(childExt); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("unfixing again: %v", err)
	}
	want("none", none, none)
	f.FixAll(-80)
	fix(-60)
	f.UnfixEach()
	want("none again", none, none)
	f.FixAll(none)
	if _, ok := f.RSSI(); ok || len(f.Entries()) != 0 {
		t.Errorf("%+v", f)
	}
}

// The table is bounded, and places are used again.
func TestFilterFull(t *testing.T) {
	var f Filter
	for i := range maxFilterEntries {
		if err := f.List(ieee802154.ExtAddr{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.List(ieee802154.ExtAddr{99}); !errors.Is(err, core.ErrTableFull) {
		t.Errorf("listing one more: %v", err)
	}
	if err := f.Fix(ieee802154.ExtAddr{99}, -60); !errors.Is(err, core.ErrTableFull) {
		t.Errorf("fixing one more: %v", err)
	}
	if err := f.Unlist(ieee802154.ExtAddr{5}); err != nil {
		t.Fatal(err)
	}
	if err := f.Fix(ieee802154.ExtAddr{99}, -60); err != nil {
		t.Errorf("in the place of another: %v", err)
	}
	if got := len(f.Entries()); got != maxFilterEntries {
		t.Errorf("%d entries", got)
	}
}
