// Package vmtest runs the driver on real Linux device files, in a virtual machine. It has tests
// alone, which run.sh runs there; elsewhere they are skipped. See README.md.
package vmtest
