//go:build unix

package filestore

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// checkAccess refuses a file that others can read or write, as the network key is in it, and one of another user, which would have
// changed hands when it is replaced.
func checkAccess(name string, info fs.FileInfo) error {
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return fmt.Errorf("%s, with the network key in it, is open to others (mode %04o): chmod 600 %s, and change the key if they may have read it: %w",
			name, perm, name, fs.ErrPermission)
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, and this program runs as user %d: run it as that user, or chown %[3]d %[1]s: %[4]w",
			name, sys.Uid, os.Geteuid(), fs.ErrPermission)
	}
	return nil
}
