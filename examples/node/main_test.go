package main

import (
	"bytes"
	"errors"
	"flag"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/internal/filestore"
	"github.com/gopymesh/pymesh/thread"
)

// output collects what several goroutines write.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func expect(t *testing.T, out string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("no %q in\n%s", w, out)
		}
	}
}

func TestEmulated(t *testing.T) {
	for _, board := range []string{"dragino", "meshadv-mini"} { // a chip of either family, with one of the other in the mesh
		t.Run(board, func(t *testing.T) { testEmulated(t, board) })
	}
}

func testEmulated(t *testing.T, board string) {
	capture := filepath.Join(t.TempDir(), "air.pcap")
	synctest.Test(t, func(t *testing.T) {
		var out output
		if code := run(t.Context(), []string{"-emulated", "-board", board, "-key", "112233", "-pcap", capture, "-status", "5m"}, &out); code != 0 {
			t.Errorf("exit code %d", code)
		}
		expect(t, out.b.String(), "LoRa radio found", "chip=SX1276", "chip=SX1262", "node runs", "pings this node", "has its datagram back", "msg=state role=", "duty cycle")
		for _, bad := range []string{"level=ERROR", "112233", "default key"} {
			if strings.Contains(out.b.String(), bad) {
				t.Errorf("%q in\n%s", bad, &out.b)
			}
		}
	})
	if info, err := os.Stat(capture); err != nil || info.Size() < 1000 {
		t.Errorf("capture: %v, %v", info, err)
	}
}

func TestConfigFile(t *testing.T) {
	write := func(text string) string {
		name := filepath.Join(t.TempDir(), "node.json")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	key := write("0102ff\n")
	p, err := parse([]string{"-sf", "9", "-config",
		write(`{"board":"adafruit","frequency":869.525,"sf":12,"no-duty-cycle":true,"status":"1m","key-file":"` + key + `","reset":"none", /* comments */ "udp":7777} // to the end`)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := p.hat.Config()
	if err != nil || cfg.Frequency.String() != "869.525 MHz" || cfg.SpreadingFactor.String() != "SF9" {
		t.Errorf("%+v, %v", cfg, err)
	}
	board, err := p.hat.Board()
	if err != nil || board.ID() != "adafruit" || board.Lines().Reset != "" || board.Lines().Interrupt != "GPIO22" {
		t.Errorf("%+v, %v", board, err)
	}
	if !p.noLimit || p.status != time.Minute || p.port != 7777 || p.key != pymesh.MustParseKey("0102ff") {
		t.Errorf("%+v", p)
	}
	for text, want := range map[string]string{
		`{`: ":1:2: the object does not end",
		"{\n  \"sf\": 9,\n  \"bord\":\"dragino\"}": `:3:3: there is no "bord"`,
		"{\n// the hat\n  \"sf\": x}":              ":3:9: sf: invalid character",
		`[]`:                                       "an object is expected",
		`{"sf":9,"sf":9}`:                          `"sf" stands there twice`,
		`{"sf":9} 1`:                               "something follows",
		`{"frequency":"868100000"}x`:               "something follows",
		`{"key":""}`:                               "-key: pymesh: key: 0 bytes",
		`{"default-key":true,"pan-id":"0xffff"}`:   "WithPANID: 0xffff",
		`{"default-key":true,"udp":61631}`:         "-udp: listen",
		`{"default-key":true,"mode":"router"}`:     "-mode",
		`{"default-key":true,"mac":"12"}`:          "-mac",
		`{"default-key":true,"channel":300}`:       "-channel 300",
		`{"config":"x"}`:                           `there is no "config"`,
		`{"sf":"many"}`:                            "sf",
		`{"board":"toaster"}`:                      "known are",
		`{"sf":13}`:                                "SpreadingFactor",
		`{"frequency":10}`:                         "not in 100 MHz to 3 GHz",
		`{"frequency":"5163.067296"}`:              "not in 100 MHz to 3 GHz",
	} {
		if _, err := parse([]string{"-config", write(text)}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestFlags(t *testing.T) {
	tests := []struct{ args, want string }{
		{"-key 12x", "-key: pymesh: key: "},
		{"-key 00112233445566778899aabbccddeeff00", "17 bytes, need 1 to 16"},
		{"-key=", "0 bytes"},
		{"", "no network key"},
		{"-key-file /nonexistent", "no such file"},
		{"-config /nonexistent", "no such file"},
		{"-udp 65536", "-udp 65536 is not in 1024 to 63535"},
		{"-default-key -frequency 868100000000", "not in 100 MHz to 3 GHz"},
		{"-default-key -sf 263", "SpreadingFactor 263"},
		{"-default-key -bandwidth 4295092", "-bandwidth 4295092"},
		{"-status 0s", "-status"},
		{"more", "flags only"},
	}
	for _, tt := range tests {
		var out output
		if code := run(t.Context(), strings.Fields(tt.args), &out); code != exitUsage {
			t.Errorf("%s: exit code %d", tt.args, code)
		}
		expect(t, out.b.String(), tt.want)
	}
	var out output
	if code := run(t.Context(), []string{"-h"}, &out); code != 0 {
		t.Errorf("-h: exit code %d", code)
	}
	expect(t, out.b.String(), "-emulated", "JSON file", "-default-key")
	for _, tt := range []struct{ args, want string }{
		{"-default-key -check", "the settings are good"}, {"-version", "node of github.com/gopymesh/pymesh"},
		{"-default-key -frequency 868100000 -check", "good"}, {"-default-key -frequency 868.1MHz -pan-id 0xface -network-name mine -mode end -mac 70b3d54990000001 -check", "good"},
	} {
		var out output
		if code := run(t.Context(), strings.Fields(tt.args), &out); code != 0 || !strings.Contains(out.b.String(), tt.want) {
			t.Errorf("%s: exit code %d, %s", tt.args, code, &out.b)
		}
	}
	if _, err := parse([]string{"-h"}, &out); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
}

func TestNoDevice(t *testing.T) {
	var out output
	if code := run(t.Context(), []string{"-default-key", "-spi-bus", "9", "-spi-cs", "7", "-store", filepath.Join(t.TempDir(), "store")}, &out); code != exitFailure {
		t.Errorf("exit code %d", code)
	}
	expect(t, out.b.String(), "node ends", "open")
}

func TestSupervisor(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	env := map[string]string{"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "60000000"}
	s := newSupervisor(func(k string) string { return env[k] })
	if s.interval() != 30*time.Second {
		t.Errorf("interval %v", s.interval())
	}
	s.ready()
	s.status("router")
	s.alive()
	s.stopping()
	buf := make([]byte, 100)
	for _, want := range []string{"READY=1", "STATUS=router", "WATCHDOG=1", "STOPPING=1"} {
		n, err := conn.Read(buf)
		if err != nil || string(buf[:n]) != want {
			t.Errorf("%q, %v, want %q", buf[:n], err, want)
		}
	}
	none := newSupervisor(func(string) string { return "" })
	none.ready()
	if none.interval() != idleInterval {
		t.Errorf("interval %v", none.interval())
	}
}

// TestService sees that the unit and its file fit the program.
func TestService(t *testing.T) {
	unit, err := os.ReadFile("pymesh-node.service")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, string(unit), "Type=notify\n", "DynamicUser=yes\n", "SupplementaryGroups=spi gpio\n", "StateDirectory=pymesh\n",
		"LoadCredential=key:", "RestartPreventExitStatus=2\n", "ExecStart=/usr/local/bin/pymesh-node -config /etc/pymesh/node.json\n", "WatchdogSec=")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte("00ff"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	t.Setenv("STATE_DIRECTORY", "/var/lib/pymesh")
	p, err := parse([]string{"-config", "node.json"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.key != pymesh.MustParseKey("00ff") || p.store != "/var/lib/pymesh/pymesh-node.json" {
		t.Errorf("key %s, store %s", p.key.Hex(), p.store)
	}
}

// TestStore: a damaged store is an error before the radio is opened, and -recover-store goes on from the generation before.
func TestStore(t *testing.T) {
	name := filepath.Join(t.TempDir(), "node.store")
	store, err := filestore.Open(name, filestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Save(thread.Settings{MACFrameCounter: 1000}); err != nil {
		t.Fatal(err)
	}
	store.Close()
	if err := os.WriteFile(name, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-default-key", "-spi-bus", "9", "-spi-cs", "7", "-store", name}
	var out output
	if code := run(t.Context(), args, &out); code != exitFailure {
		t.Errorf("exit code %d", code)
	}
	expect(t, out.b.String(), "node -recover-store", name)
	if code := run(t.Context(), append(args, "-recover-store"), &out); code != exitFailure {
		t.Errorf("exit code %d", code)
	}
	expect(t, out.b.String(), "store is recovered", name+".damaged", "open")
	if store, err = filestore.Open(name, filestore.Options{}); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if s, _, err := store.Load(); err != nil || s.MACFrameCounter <= 1000 {
		t.Errorf("%+v, %v", s, err)
	}
}
