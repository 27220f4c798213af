#!/usr/bin/env bash
# Runs the driver's tests on real Linux device files, in a virtual machine: see README.md.
#
#   run.sh [arguments of the test program]
#
#   run.sh                                  everything, in about a minute
#   run.sh -test.v -test.short              all but the mesh, in 20 seconds
#   run.sh -test.v -test.run=TestErrors     the error texts
#
# For Debian on amd64. Prepares the machine on its first run, which takes a minute or two, in
# $PYMESH_VM_DIR or ~/.cache/pymesh-vm. Remove that directory to get a newer kernel.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
# shellcheck source=machine.sh
. "$here/machine.sh"

# build makes the file system of the machine: our programs, the modules, and arguments for the tests.
build() {
	rm -rf "$dir/files"
	mkdir -p "$dir/files/modules"
	cp "$kernel"/*.ko "$dir/files/modules/"
	printf '%s\n' "$@" >"$dir/files/args"
	(
		cd "$here"
		export CGO_ENABLED=0 GOOS=linux GOARCH=amd64
		go build -trimpath -ldflags='-s -w' -o "$dir/files/init" ./guest
		go test -c -trimpath -ldflags='-s -w' -o "$dir/files/vmtest" .
	)
	(cd "$dir/files" && find . | cpio -o -H newc --quiet >"$dir/initrd")
}

[ $# -gt 0 ] || set -- -test.v
ready
build "$@"
boot 512 "${PYMESH_VM_TIMEOUT:-300}" "$dir/initrd"
