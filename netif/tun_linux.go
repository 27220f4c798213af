package netif

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const tunPath = "/dev/net/tun"

// tun is a TUN device: a read gives one whole packet, a write takes one.
type tun struct {
	file *os.File
	name string
}

// driver is the kernel's side of TUN devices.
type driver struct {
	open   func() (fd int, err error)
	attach func(fd int, ifr *unix.Ifreq) error
	load   func() bool // the module, if there may be one and this program may
}

// theDriver is that of the running kernel.
var theDriver = driver{
	open:   func() (int, error) { return unix.Open(tunPath, unix.O_RDWR|unix.O_CLOEXEC, 0) },
	attach: func(fd int, ifr *unix.Ifreq) error { return unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr) },
	load: func() bool {
		modprobe, err := exec.LookPath("modprobe")
		return err == nil && os.Geteuid() == 0 && exec.Command(modprobe, "tun").Run() == nil
	},
}

// openTUN creates a device, or attaches to one that is there and is nobody's at the moment.
func openTUN(name string) (*tun, error) { return theDriver.device(name) }

func (d driver) device(name string) (*tun, error) {
	if len(name) >= unix.IFNAMSIZ || strings.ContainsAny(name, "/ :\t\n") {
		return nil, fmt.Errorf("netif: %q is no name of an interface: at most 15 characters, no space, slash or colon", name)
	}
	fd, err := d.node()
	if err != nil {
		return nil, err
	}
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("netif: %s: %w", name, err)
	}
	// No offload (IFF_VNET_HDR): each read is one packet, with its checksum, and LoRa is in no hurry.
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := d.attach(fd, ifr); err != nil {
		unix.Close(fd)
		return nil, explainTUN(name, err)
	}
	// Only from here on may the runtime poll the file, so that Close ends a Read.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("netif: %s: %w", name, err)
	}
	return &tun{file: os.NewFile(uintptr(fd), tunPath), name: ifr.Name()}, nil
}

// node opens the device node; a kernel that has the driver as a module loads it at most once.
func (d driver) node() (fd int, err error) {
	fd, err = d.open()
	if (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO)) && d.load() {
		fd, err = d.open()
	}
	switch {
	case err == nil:
		return fd, nil
	case errors.Is(err, unix.ENOENT):
		return -1, fmt.Errorf("netif: no %s: load the driver (sudo modprobe tun), or in a container give it the device (--device %s)", tunPath, tunPath)
	case errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO):
		return -1, fmt.Errorf("netif: %s: this kernel has no TUN driver: %s", tunPath, moduleHint())
	case errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM):
		return -1, fmt.Errorf("netif: %s: %w: its mode is usually 0666 (udev); as root: chmod 0666 %s", tunPath, err, tunPath)
	}
	return -1, fmt.Errorf("netif: %s: %w", tunPath, err)
}

// moduleHint tells a module that is missing from one that belongs to another kernel, as after an upgrade without a restart.
func moduleHint() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "build or install the module tun"
	}
	release := unix.ByteSliceToString(u.Release[:])
	if _, err := os.Stat(filepath.Join("/lib/modules", release)); errors.Is(err, fs.ErrNotExist) {
		return "there are no modules for the running kernel " + release + ": restart after an upgrade"
	}
	return "install the module tun for " + release + " (package linux-modules-extra, or CONFIG_TUN)"
}

func explainTUN(name string, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("netif: %s: %w%s: end that program, or choose another name", name, err, holders())
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("netif: %s: %w: give the program CAP_NET_ADMIN (sudo setcap cap_net_admin+ep PROGRAM, or AmbientCapabilities= in its unit), "+
			"or make the device for it beforehand and use Attach:\n  ip tuntap add dev %s mode tun user %d", name, err, deviceName(name), os.Geteuid())
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("netif: %s is an interface, but no TUN device: choose another name", name)
	}
	return fmt.Errorf("netif: %s: %w", name, err)
}

func deviceName(name string) string { return strings.ReplaceAll(name, "%d", "0") }

// holders names the programs that have a TUN device open, as far as this one may look.
func holders() string {
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	seen := make(map[string]bool)
	var names []string
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || target != tunPath {
			continue
		}
		process := strings.Split(fd, "/")[2]
		if seen[process] || process == fmt.Sprint(os.Getpid()) {
			continue
		}
		seen[process] = true
		command, _ := os.ReadFile(filepath.Join("/proc", process, "comm"))
		names = append(names, fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(command)), process))
	}
	switch {
	case len(names) > 0:
		return ", maybe by " + strings.Join(names, ", ")
	case len(seen) == 0 && os.Geteuid() != 0:
		return " by another program (run this one as root to see which)"
	}
	return " by another program"
}

// Read reads one packet.
func (t *tun) Read(b []byte) (int, error) {
	n, err := t.file.Read(b)
	return n, t.explain(err)
}

// Write writes one packet. While the interface is down the kernel does not take it.
func (t *tun) Write(b []byte) (int, error) {
	n, err := t.file.Write(b)
	return n, t.explain(err)
}

func (t *tun) explain(err error) error {
	switch {
	case errors.Is(err, unix.EBADFD):
		return fmt.Errorf("netif: %s: %w", t.name, ErrDeleted)
	case errors.Is(err, os.ErrClosed):
		return ErrClosed
	case err != nil:
		return fmt.Errorf("netif: %s: %w", t.name, err)
	}
	return nil
}

// Close unblocks Read.
func (t *tun) Close() error { return t.file.Close() }

// retryBusy gives a device that is in use a second to be let go: after a crash the kernel needs a moment.
func retryBusy(open func() (*tun, error)) (t *tun, err error) {
	for range 10 {
		if t, err = open(); err == nil || !errors.Is(err, unix.EBUSY) {
			return t, err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, err
}
