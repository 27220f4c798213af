package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestConfigFile(t *testing.T) {
	b, err := os.ReadFile("gateway.toml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseConfig(b); err != nil {
		t.Errorf("as it is: %v", err)
	}
	// All that is commented out are the defaults, or examples that hold.
	var lines []string
	for _, line := range strings.Split(string(b), "\n") {
		if rest, ok := strings.CutPrefix(line, "# "); ok && strings.Contains(strings.Fields(rest + " x")[1], "=") {
			line = rest
		}
		lines = append(lines, line)
	}
	c, err := parseConfig([]byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatalf("with all settings: %v", err)
	}
	if c.Host.Interface != "pymesh0" || c.MQTT.URL == "" || c.Control.Socket == "" {
		t.Errorf("%+v", c)
	}
	if _, err := c.hat(); err != nil {
		t.Error(err)
	}
	for i := range reflect.TypeFor[config]().NumField() { // and all settings are there
		section := reflect.TypeFor[config]().Field(i)
		if section.Type.Kind() != reflect.Struct {
			continue
		}
		for j := range section.Type.NumField() {
			if name := section.Type.Field(j).Tag.Get("toml"); !regexp.MustCompile(`(?m)^(# )?` + name + ` = `).Match(b) {
				t.Errorf("%s.%s is not explained", section.Tag.Get("toml"), name)
			}
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for text, want := range map[string]string{
		"[mesh]\nnmae = \"x\"":                      "line 2: there is no setting mesh.nmae",
		"[mesh]\nsf = \"seven\"":                    "line 2",
		"[mesh":                                     "line 1",
		"[mesh]\nname = \"a/b\"":                    "topics",
		"[mesh]\nports = [80]":                      "1024",
		"[mqtt]\nurl = \"http://x\"":                "mqtt://",
		"[mqtt]\nurl = \"mqtt://me:secret@x\"":      "password_file",
		"[mqtt]\ndownlink = true":                   "downlink_ports",
		"[web]\nlisten = \"0.0.0.0:80\"":            "token_file",
		"[web]\nlisten = \"here\"":                  "web.listen",
		"[border_router]\nprefix = \"10.0.0.0/8\"":  "/64",
		"[border_router]\nrules = [\"udp port 0\"]": "port",
		"[border_router]\npreference = \"highest\"": "preference",
		"[map]\nairtime_per_hour = \"soon\"":        "line 2",
		"[mqtt]\nspool_mib = 0":                     "spool_mib",
		"[host]\nairtime_share = 2":                 "airtime_share",
		"[host]\nairtime_share = nan":               "airtime_share",
		"[host]\nroutes = [\"10.0.0.0/8\"]":         "host.routes",
		"[host]\nroutes = [\"fd00::1/64\"]":         "host.routes",
	} {
		if _, err := parseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestUsage(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"":                          "-emulated",
		"-h":                        "gateway ctl",
		"-config /nowhere":          "/nowhere",
		"-config " + empty:          "key_file",
		"x":                         "flags only",
		"-emulated -web 0.0.0.0:80": "token",
		"ctl -json":                 "command",
		"ctl -socket /nowhere x":    "does the gateway run",
	} {
		var out, errs bytes.Buffer
		code := run(context.Background(), strings.Fields(line), &out, &errs)
		if got := out.String() + errs.String(); !strings.Contains(got, want) || code == 0 && line != "-h" {
			t.Errorf("gateway %s: code %d, %q, want %q", line, code, got, want)
		}
	}
}

func FuzzConfig(f *testing.F) {
	b, _ := os.ReadFile("gateway.toml")
	f.Add(string(b))
	f.Fuzz(func(t *testing.T, text string) { _, _ = parseConfig([]byte(text)) })
}
