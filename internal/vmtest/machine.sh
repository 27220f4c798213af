# shellcheck shell=bash
# The virtual machine, for run.sh and systemd.sh, which read this file.

readonly dir=${PYMESH_VM_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/pymesh-vm}
readonly kernel=$dir/kernel-2 # what prepare makes; count up when that changes

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
	for module in configfs fuse cuse tun; do
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

# ready prepares the machine if need be.
ready() {
	command -v go >/dev/null || fail "go is not installed"
	if ! [ -e "$kernel/release" ] || ! command -v qemu-system-x86_64 >/dev/null || ! command -v cpio >/dev/null; then
		prepare
	fi
	say "Linux $(cat "$kernel/release")"
}

# boot runs the machine with so many MiB, for so many seconds at most; its last line is the exit status of the test program. Further arguments
# are for the kernel.
boot() {
	local memory=$1 time_limit=$2 initrd=$3 console=$dir/console
	shift 3
	timeout -k 5 "$time_limit" qemu-system-x86_64 -M q35 -accel tcg -m "$memory" -display none -nodefaults -serial stdio \
		-nic none -no-reboot -kernel "$kernel/vmlinux" -initrd "$initrd" \
		-append "console=ttyS0 quiet panic=-1 nokaslr mitigations=off tsc=reliable $*" </dev/null |
		stdbuf -oL tr -d '\r' | tee "$console" | grep --line-buffered -vE '^vmtest: exit |reboot: Power down' || true
	local status
	status=$(sed -n 's/^vmtest: exit \([0-9]*\)$/\1/p' "$console" | tail -n 1)
	[ -n "$status" ] || fail "the machine ended before the tests, or ran longer than ${time_limit} s"
	return "$status"
}
