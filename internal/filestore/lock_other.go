//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package filestore

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// lockFile fails: without a lock two processes could use the same frame counters, and nobody would know.
func lockFile(*os.File) error {
	return fmt.Errorf("no file locks are known on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
