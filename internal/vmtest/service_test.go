//go:build linux

package vmtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/vmtest/hardware"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

const (
	nodeUnit    = "pymesh-node.service"
	gatewayUnit = "pymesh-gateway.service"
	packageFile = "/pymesh.deb"
	keyFile     = "/etc/pymesh/key"
	nodeFile    = "/etc/pymesh/node.json"
	gatewayFile = "/etc/pymesh/gateway.toml"
)

// TestService has systemd run the node and the gateway of the package on an emulated chip.
func TestService(t *testing.T) {
	if _, err := os.Stat(packageFile); err != nil {
		t.Skip("runs in a virtual machine with systemd: see systemd.sh")
	}
	b := newBench(t)
	hat := b.plug(sx1276.DraginoHAT)
	s := &system{t: t}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.run("journalctl", "--no-pager", "-n", "60", "-t", "systemd", "-t", "pymesh-node", "-t", "pymesh-gateway"))
		}
	})
	s.must("dpkg", "-i", packageFile)
	s.must("udevadm", "trigger", "--subsystem-match=cuse") // a Raspberry Pi's are spidev, which the package triggers itself
	for _, unit := range []string{nodeUnit, gatewayUnit} {
		s.dropIn(unit)
	}
	s.must("systemctl", "daemon-reload")

	t.Run("devices", s.devices)
	t.Run("no key", func(t *testing.T) { s.staysDown(t, nodeUnit, "243") })
	s.write(keyFile, "00112233445566778899aabbccddeeff\n")
	s.write(nodeFile, `{"board": "no such hat"}`)
	t.Run("usage error", func(t *testing.T) { s.staysDown(t, nodeUnit, "2") })
	s.write(nodeFile, `{"board": "dragino", "region": "EU868"}`)
	t.Run("start", func(t *testing.T) { s.starts(t) })
	mac := s.mac()
	t.Run("watchdog is fed", s.fed)
	// What the runtime makes of a panic, too: by status 2 it would look like a usage error.
	t.Run("crash", func(t *testing.T) { s.comesBack(t, nodeUnit, syscall.SIGSEGV, "core-dump", "signal") })
	t.Run("kill -9", func(t *testing.T) { s.comesBack(t, nodeUnit, syscall.SIGKILL, "signal") })
	t.Run("hang", func(t *testing.T) { s.comesBack(t, nodeUnit, syscall.SIGSTOP, "watchdog") })
	if again := s.mac(); again != mac || mac == "" {
		t.Errorf("it was %q, and is %q after all that", mac, again)
	}
	t.Run("the radio fails", func(t *testing.T) {
		b.fail(hat, hardware.BrownOut, 0) // repaired by the driver: no reason for another start
		pid := s.show(nodeUnit, "MainPID")
		time.Sleep(3 * time.Second)
		if s.show(nodeUnit, "MainPID") != pid || s.show(nodeUnit, "ActiveState") != "active" {
			t.Error("a brown-out ends the service")
		}
	})
	t.Run("upgrade", func(t *testing.T) {
		pid := s.show(nodeUnit, "MainPID")
		s.must("dpkg", "-i", packageFile)
		s.wait(t, "the node runs again", func() bool {
			now := s.show(nodeUnit, "MainPID")
			return s.show(nodeUnit, "ActiveState") == "active" && now != pid && now != "0"
		})
	})
	t.Run("gateway", s.gateway)
	t.Run("purge", func(t *testing.T) {
		s.must("dpkg", "-P", "pymesh")
		if state := s.show(gatewayUnit, "ActiveState"); state != "inactive" {
			t.Errorf("the gateway is %s", state)
		}
		for _, name := range []string{"/etc/pymesh", "/var/lib/pymesh", "/usr/bin/pymesh-node"} {
			if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	b.violations() // killed programs leave the chip in the middle of a command
}

// system is the machine as an administrator has it.
type system struct{ t *testing.T }

func (s *system) run(name string, args ...string) string {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s%v", out, err)
	}
	return string(out)
}

func (s *system) must(name string, args ...string) string {
	s.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (s *system) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if name != keyFile { // settings are for all to read, and the key is not
		must(s.t, os.Chmod(name, 0o644))
	}
}

// dropIn adapts a unit to the machine: its SPI files are no real driver's, and a test has no patience for a minute.
func (s *system) dropIn(unit string) {
	s.t.Helper()
	dir := filepath.Join("/etc/systemd/system", unit+".d")
	must(s.t, os.MkdirAll(dir, 0o755))
	must(s.t, os.WriteFile(filepath.Join(dir, "vm.conf"), []byte("[Unit]\nStartLimitIntervalSec=0\n"+
		"[Service]\nDeviceAllow=/dev/spidev0.0 rw\nWatchdogSec=10\nTimeoutStopSec=30\nFinalKillSignal=SIGQUIT\nTimeoutStartSec=120\nRestartSec=1\n"), 0o644))
}

func (s *system) show(unit, property string) string {
	s.t.Helper()
	return strings.TrimSpace(s.must("systemctl", "show", "--value", "-p", property, unit))
}

func (s *system) wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	const most = 2 * time.Minute
	for end := time.Now().Add(most); !is(); time.Sleep(300 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", most, what)
		}
	}
}

// devices: the rules of the package give the files to the groups.
func (s *system) devices(t *testing.T) {
	for pattern, group := range map[string]string{"/dev/gpiochip*": "gpio", "/dev/spidev*": "spi"} {
		files, _ := filepath.Glob(pattern)
		if len(files) == 0 {
			t.Errorf("no %s", pattern)
		}
		for _, f := range files {
			s.wait(t, f+" belongs to "+group, func() bool { return strings.TrimSpace(s.run("stat", "-c", "%G %a", f)) == group+" 660" })
		}
	}
}

// staysDown: a start fails with an exit status, and nothing tries again.
func (s *system) staysDown(t *testing.T, unit, status string) {
	out := s.run("systemctl", "start", unit)
	time.Sleep(5 * time.Second) // several times RestartSec
	if state, code, n := s.show(unit, "ActiveState"), s.show(unit, "ExecMainStatus"), s.show(unit, "NRestarts"); state != "failed" || code != status || n != "0" {
		t.Errorf("%s with status %s after %s restarts: %s", state, code, n, out)
	}
	s.must("systemctl", "reset-failed", unit)
}

// starts: systemctl returns once the node has said that it is ready.
func (s *system) starts(t *testing.T) {
	s.must("systemctl", "start", nodeUnit)
	if state := s.show(nodeUnit, "ActiveState"); state != "active" {
		t.Fatalf("it is %s", state)
	}
	s.wait(t, "a status", func() bool { return s.show(nodeUnit, "StatusText") != "" })
	pid := s.show(nodeUnit, "MainPID")
	if user := strings.TrimSpace(s.run("stat", "-c", "%U", "/proc/"+pid)); user != "pymesh" {
		t.Errorf("it runs as %s", user)
	}
	status, err := os.ReadFile("/proc/" + pid + "/status")
	must(t, err)
	if !regexp.MustCompile(`(?m)^CapEff:\s*0+$`).Match(status) || !regexp.MustCompile(`(?m)^Seccomp:\s*2$`).Match(status) {
		t.Errorf("it has capabilities, or no filter of system calls:\n%s", status)
	}
	t.Logf("%s; %s", s.show(nodeUnit, "StatusText"), s.mac())
}

// mac is how the node calls itself in the journal.
func (s *system) mac() string {
	all := regexp.MustCompile(`mac=([0-9a-f]+)`).FindAllStringSubmatch(s.run("journalctl", "--no-pager", "-o", "cat", "-u", nodeUnit), -1)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1][1]
}

// fed: the node tells systemd that it lives, more than once, and lives on.
func (s *system) fed(t *testing.T) {
	pid, n := s.show(nodeUnit, "MainPID"), s.show(nodeUnit, "NRestarts")
	seen := map[string]bool{}
	s.wait(t, "three signs of life", func() bool {
		seen[s.show(nodeUnit, "WatchdogTimestampMonotonic")] = true
		return len(seen) > 3
	})
	if s.show(nodeUnit, "MainPID") != pid || s.show(nodeUnit, "NRestarts") != n {
		t.Error("it was started again meanwhile")
	}
}

// comesBack: after a signal systemd finds that the service has failed, and starts it again.
func (s *system) comesBack(t *testing.T, unit string, signal syscall.Signal, results ...string) {
	pid, err := strconv.Atoi(s.show(unit, "MainPID"))
	must(t, err)
	if pid <= 0 {
		t.Fatalf("%s does not run", unit)
	}
	before, err := strconv.Atoi(s.show(unit, "NRestarts"))
	must(t, err)
	must(t, syscall.Kill(pid, signal))
	s.wait(t, "another start", func() bool {
		n, _ := strconv.Atoi(s.show(unit, "NRestarts"))
		return n == before+1 && s.show(unit, "ActiveState") == "active" && s.show(unit, "MainPID") != strconv.Itoa(pid)
	})
	journal := s.run("journalctl", "--no-pager", "-o", "cat", "-u", unit)
	for _, r := range results {
		if strings.Contains(journal, "Failed with result '"+r+"'") {
			return
		}
	}
	t.Errorf("none of the results %q in:\n%s", results, journal)
}

// gateway: it takes the hat over, answers on its socket, and has its interface into the mesh.
func (s *system) gateway(t *testing.T) {
	text, err := os.ReadFile(gatewayFile)
	must(t, err)
	s.write(gatewayFile, regexp.MustCompile(`(?m)^# (interface = "pymesh0")`).ReplaceAllString(string(text), "$1"))
	s.must("systemctl", "start", gatewayUnit)
	if node, gateway := s.show(nodeUnit, "ActiveState"), s.show(gatewayUnit, "ActiveState"); node != "inactive" || gateway != "active" {
		t.Errorf("the node is %s, the gateway %s", node, gateway)
	}
	if result := s.show(nodeUnit, "Result"); result != "success" {
		t.Errorf("the node has stopped with %s", result)
	}
	s.wait(t, "a role", func() bool { return strings.Contains(s.run("pymesh-gateway", "ctl", "state"), "leader") })
	out := s.must("ip", "-6", "addr", "show", "dev", "pymesh0")
	if !strings.Contains(out, "scope global") {
		t.Error(out)
	}
	s.comesBack(t, gatewayUnit, syscall.SIGKILL, "signal")
	s.wait(t, "its interface again", func() bool {
		return strings.Contains(s.run("ip", "-6", "addr", "show", "dev", "pymesh0"), "scope global")
	})
	s.comesBack(t, gatewayUnit, syscall.SIGSTOP, "watchdog")
}
