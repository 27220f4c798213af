//go:build linux

// Command guest is the first program of the virtual machine, and the hardware around it.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/gopymesh/pymesh/internal/vmtest/hardware"
	"golang.org/x/sys/unix"
)

func main() {
	if os.Getpid() == 1 {
		status, err := boot()
		if err != nil {
			fmt.Println("vmtest:", err)
		} else {
			fmt.Println("vmtest: exit", status) // for run.sh
		}
		_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
	if err := serve(os.NewFile(listenerFD, "listener")); err != nil {
		fmt.Fprintln(os.Stderr, "hardware:", err)
		os.Exit(1)
	}
}

// listenerFD is where serve inherits its socket.
const listenerFD = 3

// systemd is the next program of a machine that is a whole system: it runs the tests as a service.
const systemd = "/lib/systemd/systemd"

// boot brings the machine up, runs the tests, and returns their exit status.
func boot() (status int, err error) {
	if err := mount(); err != nil {
		return 0, err
	}
	if err := loadModules(); err != nil {
		return 0, err
	}
	if err := mountLate(); err != nil {
		return 0, err
	}
	if err := startHardware(); err != nil {
		return 0, err
	}
	if _, err := os.Stat(systemd); err == nil {
		return 0, unix.Exec(systemd, []string{"/sbin/init"}, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"})
	}
	args, err := readArgs("/args")
	if err != nil {
		return 0, err
	}
	test := exec.Command("/vmtest", args...)
	test.Stdout, test.Stderr = os.Stdout, os.Stderr
	err = test.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// startHardware starts the process of the hardware.
func startHardware() error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: hardware.Socket, Net: "unix"})
	if err != nil {
		return err
	}
	f, err := l.File()
	if err != nil {
		return err
	}
	hw := exec.Command("/proc/self/exe")
	hw.Stdout, hw.Stderr, hw.ExtraFiles = os.Stdout, os.Stderr, []*os.File{f}
	if err := startFirst(hw); err != nil {
		return err
	}
	// Only the hardware's process may have the socket, so that callers notice when it ends.
	l.SetUnlinkOnClose(false)
	l.Close()
	f.Close()
	return nil
}

// startFirst starts a process that goes before all others: hardware does not wait for programs.
func startFirst(cmd *exec.Cmd) error {
	const mostUrgent = -20
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, mostUrgent); err != nil { // of this thread
		return err
	}
	if err := cmd.Start(); err != nil { // which inherits it
		return err
	}
	return unix.Setpriority(unix.PRIO_PROCESS, 0, 0)
}

// serve is the process of the hardware.
func serve(socket *os.File) error {
	l, err := net.FileListener(socket)
	if err != nil {
		return err
	}
	m, err := hardware.New()
	if err != nil {
		return err
	}
	s := rpc.NewServer()
	if err := s.Register(m); err != nil {
		return err
	}
	s.Accept(l)
	return nil
}

// filesystem is a file system to mount.
type filesystem struct{ kind, dir string }

func mount() error {
	return mountAll(filesystem{"proc", "/proc"}, filesystem{"sysfs", "/sys"}, filesystem{"devtmpfs", "/dev"},
		filesystem{"tmpfs", "/tmp"}, filesystem{"tmpfs", "/run"}, filesystem{"tracefs", "/sys/kernel/tracing"})
}

// mountLate mounts what a module brings.
func mountLate() error {
	return mountAll(filesystem{"configfs", "/sys/kernel/config"})
}

func mountAll(list ...filesystem) error {
	for _, f := range list {
		if err := os.MkdirAll(f.dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(f.kind, f.dir, f.kind, 0, ""); err != nil {
			return &fs.PathError{Op: "mount", Path: f.dir, Err: err}
		}
	}
	return nil
}

// loadModules loads the modules that run.sh brought, in the order in which they need each other.
func loadModules() error {
	for _, name := range []string{"configfs", "fuse", "cuse", "tun", "gpio-sim"} {
		f, err := os.Open(filepath.Join("/modules", name+".ko"))
		if errors.Is(err, fs.ErrNotExist) {
			continue // built into this kernel
		}
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		f.Close()
		if err != nil {
			return fmt.Errorf("module %s: %w", name, err)
		}
	}
	return nil
}

// readArgs reads arguments, one a line.
func readArgs(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var args []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		args = append(args, lines.Text())
	}
	return args, lines.Err()
}
