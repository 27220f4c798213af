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
readonly dir=${PYMESH_VM_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/pymesh-vm}
readonly kernel=$dir/kernel-1 # what prepare makes; count up when that changes
readonly time_limit=${PYMESH_VM_TIMEOUT:-300} # seconds that the machine may run

say() { printf 'vmtest: %s\n' "$*"; }

fail() {
	say "$*" >&2
	exit 1
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() {
	local missing=()
	for package in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
	done
	[ "${#missing[@]}" -gt 0 ] || return 0
	say "installing ${missing[*]}"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# prepare makes the kernel and its modules from Debian's packages.
prepare() {
	[ "$(dpkg --print-architecture)" = amd64 ] || fail "made for Debian on amd64"
	as_root apt-get update -qq
	local depends release version series
	depends=$(apt-cache show --no-all-versions linux-image-amd64 | grep '^Depends:')
	[[ $depends =~ linux-image-([^ ,]+)\ \(=\ ([^\)]+)\) ]] || fail "linux-image-amd64 has no kernel: $depends"
	release=${BASH_REMATCH[1]} version=${BASH_REMATCH[2]}
	series=$(grep -oE '^[0-9]+\.[0-9]+' <<<"$release")
	say "preparing Linux $release in $dir"
	install_packages qemu-system-x86 cpio make gcc xz-utils "linux-headers-$release"

	mkdir -p "$dir"
	local work
	work=$(mktemp -d "$dir/prepare.XXXXXX")
	# shellcheck disable=SC2064 # now, not then
	trap "rm -rf '$work'" EXIT
	mkdir "$work/image" "$work/gpio-sim" "$work/out"
	(
		cd "$work"
		apt-get download -q -o APT::Sandbox::User=root "linux-image-$release=$version" "linux-source-$series=$version" >/dev/null
		dpkg-deb -x linux-image-*.deb image
		dpkg-deb --fsys-tarfile linux-source-*.deb | tar -x --wildcards '*.tar.xz'
		tar -xJf usr/src/linux-source-"$series".tar.xz --strip-components=1 --wildcards \
			'*/drivers/gpio/gpio-sim.c' '*/drivers/gpio/*.h' '*/kernel/irq/irq_sim.c' '*/scripts/extract-vmlinux'
	)
	# QEMU starts an ELF kernel in a fraction of the time that a compressed one takes.
	bash "$work/scripts/extract-vmlinux" "$work"/image/boot/vmlinuz-* >"$work/out/vmlinux"
	for module in configfs fuse cuse; do
		find "$work/image" -name "$module.ko*" -exec cp {} "$work/out/" \;
	done
	build_gpio_sim "$work" "/usr/src/linux-headers-$release"
	for module in "$work"/out/*.ko.xz; do
		[ ! -e "$module" ] || xz -d "$module"
	done
	echo "$release" >"$work/out/release"
	rm -rf "$kernel"
	mv "$work/out" "$kernel"
}

# build_gpio_sim builds the simulated GPIO chip, and the simulated interrupts that it needs, which
# Debian's kernel leaves out.
build_gpio_sim() {
	local work=$1 headers=$2
	cp "$work"/drivers/gpio/*.h "$work/gpio-sim/"
	cp "$work/drivers/gpio/gpio-sim.c" "$work/gpio-sim/chip.c"
	{
		echo 'obj-m := gpio-sim.o'
		echo 'gpio-sim-y := chip.o'
		if ! grep -q '^CONFIG_IRQ_SIM=y' "$headers/.config"; then
			# Modules cannot call irq_to_desc.
			sed 's/handle_simple_irq(irq_to_desc(\([^)]*\)))/generic_handle_irq(\1)/' \
				"$work/kernel/irq/irq_sim.c" >"$work/gpio-sim/irq_sim.c"
			echo 'gpio-sim-y += irq_sim.o'
		fi
	} >"$work/gpio-sim/Kbuild"
	make -s -C "$headers" M="$work/gpio-sim" modules >"$work/make.log" 2>&1 || {
		cat "$work/make.log" >&2
		fail "gpio-sim does not build"
	}
	cp "$work/gpio-sim/gpio-sim.ko" "$work/out/"
}

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

# boot runs the machine, whose last line is the exit status of the test program.
boot() {
	local console=$dir/console
	timeout -k 5 "$time_limit" qemu-system-x86_64 -M q35 -accel tcg -m 512 -display none -nodefaults -serial stdio \
		-nic none -no-reboot -kernel "$kernel/vmlinux" -initrd "$dir/initrd" \
		-append "console=ttyS0 quiet panic=-1 nokaslr mitigations=off tsc=reliable" </dev/null |
		tr -d '\r' | tee "$console" | grep --line-buffered -vE '^vmtest: exit |reboot: Power down' || true
	local status
	status=$(sed -n 's/^vmtest: exit \([0-9]*\)$/\1/p' "$console" | tail -n 1)
	[ -n "$status" ] || fail "the machine ended before the tests, or ran longer than ${time_limit} s"
	return "$status"
}

command -v go >/dev/null || fail "go is not installed"
if ! [ -e "$kernel/release" ] || ! command -v qemu-system-x86_64 >/dev/null || ! command -v cpio >/dev/null; then
	prepare
fi
[ $# -gt 0 ] || set -- -test.v
say "Linux $(cat "$kernel/release")"
build "$@"
boot
