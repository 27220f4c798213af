package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
)

// program runs the program in a bubble of synctest, in which hours pass in an instant.
func program(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var out, errs bytes.Buffer
		code = run(context.Background(), args, &out, &errs)
		stdout, stderr = out.String(), errs.String()
	})
	return code, stdout, stderr
}

func TestForms(t *testing.T) {
	for form, want := range map[string][]string{
		"text": {"RLOC16", "leader", "LINK", "→"},
		"dot":  {"graph mesh {", "shape=box", " -- "},
		"json": {`"role": "leader"`, `"links"`},
	} {
		code, out, errs := program(t, "-nodes", "3", "-children", "-format", form)
		if code != 0 || !strings.Contains(errs, "asking 0x") {
			t.Errorf("%s: exit code %d\n%s", form, code, errs)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: %q is missing in\n%s", form, w, out)
			}
		}
		if form == "json" && !json.Valid([]byte(out)) {
			t.Errorf("no JSON:\n%s", out)
		}
	}
}

func TestQuiet(t *testing.T) {
	if code, _, errs := program(t, "-nodes", "2", "-q", "-key", "0102"); code != 0 || errs != "" {
		t.Errorf("exit code %d: %q", code, errs)
	}
}

func TestTraceOfNobody(t *testing.T) {
	if code, _, errs := program(t, "-nodes", "2", "-trace", "fdde:ad00:beef::1"); code != exitFailure || !strings.Contains(errs, "no answer") {
		t.Errorf("exit code %d: %q", code, errs)
	}
}

func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		var out, errs bytes.Buffer
		if code := run(ctx, []string{"-nodes", "3"}, &out, &errs); code != exitInterrupted || !strings.Contains(errs.String(), "interrupted") {
			t.Errorf("exit code %d: %q", code, errs.String())
		}
	})
}

func TestUsage(t *testing.T) {
	if code, _, errs := program(t, "-h"); code != 0 || !strings.Contains(errs, "Usage:") || !strings.Contains(errs, "-format") {
		t.Errorf("exit code %d: %q", code, errs)
	}
	for _, args := range [][]string{
		{"x"}, {"-format", "x"}, {"-nodes", "1"}, {"-nodes", "99"}, {"-timeout", "-1s"}, {"-speed", "0"}, {"-trace", "x"}, {"-trace", "1.2.3.4"},
		{"-key", "xy"}, {"-key", "01", "-key-file", "x"}, {"-key-file", "/nowhere/at/all"}, {"-board", "none"}, {"-nosuchflag"},
	} {
		if code, _, errs := program(t, args...); code != exitUsage || !strings.Contains(errs, "topology -h explains") {
			t.Errorf("%v: exit code %d: %q", args, code, errs)
		}
	}
}
