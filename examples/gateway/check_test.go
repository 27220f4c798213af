package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheck has -check look at configurations of which one thing each does not hold.
func TestCheck(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	dir := t.TempDir()
	key, empty := filepath.Join(dir, "mesh.key"), filepath.Join(dir, "empty")
	for name, text := range map[string]string{key: strings.Repeat("0f", 16), empty: ""} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	defer l.Close()
	mesh := fmt.Sprintf("[mesh]\nkey_file = %q\nstore = %q\n", "mesh.key", filepath.Join(dir, "store"))
	for _, tt := range []struct {
		name, config string
		code         int
		says         []string
	}{
		{"all is well", mesh + fmt.Sprintf("[mqtt]\nurl = \"mqtt://%s\"\nspool = %q\n", l.Addr(), dir), 0,
			[]string{"ok    configuration", "ok    mesh.store: " + dir + " is there", "ok    mqtt.spool", "answers"}},
		{"to be made by the service", strings.Replace(mesh, "store\"", "later/store\"", 1), 0, []string{"is not there yet", "mkdir -p"}},
		{"no key", "[mesh]\nstore = \"x\"\n", exitUsage, []string{"no key", "openssl rand"}},
		{"a key file that is not there", strings.Replace(mesh, "mesh.key", "nowhere", 1), exitUsage, []string{"mesh.key_file", "no such file"}},
		{"an empty key file", strings.Replace(mesh, "mesh.key", "empty", 1), exitUsage, []string{"empty is empty"}},
		{"no store", "[mesh]\nkey_file = \"mesh.key\"\n", exitUsage, []string{"mesh.store", "/var/lib/pymesh"}},
		{"an unknown hat", strings.Replace(mesh, "[mesh]", "[mesh]\nboard = \"draqino\"", 1), exitUsage, []string{"draqino", "dragino"}},
		{"a frequency of another band", strings.Replace(mesh, "[mesh]", "[mesh]\nfrequency_mhz = 1", 1), exitUsage, []string{"frequency"}},
		{"an unknown key", mesh + "[mqtt]\nulr = \"x\"\n", exitUsage, []string{"line 5: there is no setting mqtt.ulr"}},
		{"a password that is not there", mesh + "[mqtt]\npassword_file = \"pass\"\n", exitFailure, []string{"WRONG secret: mqtt.password_file", "umask 077"}},
		{"an empty token", mesh + "[web]\ntoken_file = \"empty\"\n", exitFailure, []string{"WRONG secret: web.token_file", "is empty"}},
		{"a store below a file", strings.Replace(mesh, "store\"", "empty/store\"", 1), exitFailure, []string{"WRONG mesh.store", "is no directory"}},
		{"a spool that is a file", mesh + fmt.Sprintf("[mqtt]\nspool = %q\n", empty), exitFailure, []string{"WRONG mqtt.spool", "is no directory"}},
		{"no broker", mesh + fmt.Sprintf("[mqtt]\nurl = \"mqtt://%s\"\n", gone.Addr()), exitFailure, []string{"WRONG broker", "refused", "tries again"}},
		{"no TLS there", mesh + fmt.Sprintf("[mqtt]\nurl = \"mqtts://%s\"\nca_file = %q\n", l.Addr(), empty), exitFailure, []string{"WRONG broker", "no certificate"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(dir, "gateway.toml")
			if err := os.WriteFile(file, []byte(tt.config), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			code := run(context.Background(), []string{"-config", file, "-check"}, &out, &errs)
			got := out.String() + errs.String()
			if code != tt.code {
				t.Errorf("code %d, want %d: %s", code, tt.code, got)
			}
			for _, want := range tt.says {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not there: %s", want, got)
				}
			}
		})
	}
}

// TestCredential: a secret that the unit does not hand over is told with what the unit lacks.
func TestCredential(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", t.TempDir())
	c := defaults()
	if _, err := c.secret("mqtt.password_file", "broker.password"); err == nil || !strings.Contains(err.Error(), "LoadCredential=broker.password:") {
		t.Error(err)
	}
}

// TestBrokerPort: a broker's port need not be named.
func TestBrokerPort(t *testing.T) {
	for url, want := range map[string]string{
		"mqtt://localhost": "mqtt://localhost:1883", "mqtts://[::1]": "mqtts://[::1]:8883", "mqtt://broker:1": "mqtt://broker:1",
	} {
		c, err := parseConfig([]byte(fmt.Sprintf("[mqtt]\nurl = %q", url)))
		if err != nil || c.MQTT.URL != want {
			t.Errorf("%s: %s, %v", url, c.MQTT.URL, err)
		}
	}
}
