//go:build !unix || solaris || aix

package spool

import "os"

// lockFile does nothing: the gateway runs on Linux.
func lockFile(*os.File) error { return nil }
