#!/usr/bin/env bash
# Runs the services of the Debian package under a real systemd, on an emulated chip behind /dev/spidev0.0 and /dev/gpiochip*, in the virtual
# machine: see README.md.
#
#   systemd.sh [PACKAGE.deb]      that of packaging/dist by default, which packaging/build.sh makes
#
# For Debian on amd64, as root. It makes a Debian system by mmdebstrap, once, beside the machine's kernel.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
# shellcheck source=machine.sh
. "$here/machine.sh"
readonly system=$dir/bookworm-1.tar # count up when what is in it changes
readonly root=$dir/system

make_system() {
	install_packages mmdebstrap
	say "making a Debian system"
	mmdebstrap --quiet --format=tar --variant=minbase --include=systemd,systemd-sysv,udev,init-system-helpers,adduser,iproute2 bookworm "$system.new"
	mv "$system.new" "$system"
}

# build makes the file system of the machine: Debian, the package, the tests as a service.
build() {
	rm -rf --one-file-system "$root"
	mkdir -p "$root"
	tar -C "$root" --exclude='./dev/*' --exclude='./usr/share/doc' --exclude='./usr/share/locale' --exclude='./usr/share/man' \
		--exclude='./var/lib/apt/lists/*' --exclude='./var/cache/*' -xf "$system"
	mkdir -p "$root/modules"
	cp "$kernel"/*.ko "$root/modules/"
	cp "$1" "$root/pymesh.deb"
	(
		cd "$here"
		export CGO_ENABLED=0 GOOS=linux GOARCH=amd64
		go build -trimpath -ldflags='-s -w' -o "$root/init" ./guest
		go test -c -trimpath -ldflags='-s -w' -o "$root/vmtest" .
	)
	# The files of SPI are made by CUSE here: the package's rule is for spidev.
	echo 'SUBSYSTEM=="cuse", KERNEL=="spidev*", GROUP="spi", MODE="0660"' >"$root/etc/udev/rules.d/99-vmtest.rules"
	cat >"$root/etc/systemd/system/vmtest.service" <<-EOF
		[Unit]
		Description=tests
		After=systemd-udev-settle.service
		Wants=systemd-udev-settle.service
		[Service]
		Type=oneshot
		TimeoutStartSec=infinity
		Environment=HOME=/root
		StandardOutput=tty
		StandardError=tty
		TTYPath=/dev/ttyS0
		ExecStart=/bin/sh -c '/vmtest -test.v -test.run=^TestService; echo "vmtest: exit \$?"; systemctl poweroff --force --force'
		[Install]
		WantedBy=multi-user.target
	EOF
	mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
	ln -sf ../vmtest.service "$root/etc/systemd/system/multi-user.target.wants/vmtest.service"
	ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
	for unit in getty@tty1 serial-getty@ttyS0 getty.target systemd-timesyncd apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer; do
		case $unit in *.*) ;; *) unit+=.service ;; esac
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
	echo 00000000000000000000000000000001 >"$root/etc/machine-id"
	(cd "$root" && find . | cpio -o -H newc --quiet >"$dir/initrd-systemd")
	rm -rf --one-file-system "$root"
}

package=${1:-$(find "$here/../../packaging/dist" -name 'pymesh_*_amd64.deb' -printf '%T@ %p\n' 2>/dev/null | sort -n | tail -n 1 | cut -d' ' -f2-)}
[ -e "$package" ] || fail "no package: packaging/build.sh amd64 makes one"
ready
[ -e "$system" ] || make_system
build "$package"
boot 1536 "${PYMESH_VM_TIMEOUT:-900}" "$dir/initrd-systemd" systemd.show_status=no systemd.log_level=warning
