#!/usr/bin/env bash
# Tries the package for this machine's architecture: lintian, manual pages, hardening of the units, and in a Debian system of its own (a chroot)
# installation, completion, upgrade, removal and purge.
#
#   packaging/test.sh [PACKAGE.deb]      that of packaging/dist, or of $OUT, by default
#
# For Debian, as root, with lintian, mandoc and mmdebstrap installed. $ROOT is a tarball of a system to use again; it is made if it is not there.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly suite=bookworm
readonly extra=systemd,systemd-sysv,udev,init-system-helpers,adduser,bash-completion

[ -n "${MOUNTS_APART:-}" ] || exec env MOUNTS_APART=1 unshare --mount "${BASH_SOURCE[0]}" "$@" # what is mounted below ends with the script

work=$(mktemp -d)
readonly work system=$work/system
trap 'umount -q "$system/dev" "$system/proc"; rm -rf --one-file-system "$work"' EXIT

say() { printf 'test: %s\n' "$*"; }

fail() {
	printf 'test: FAILED: %s\n' "$*" >&2
	exit 1
}

inside() { chroot "$system" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }

has() { [ -e "$system$1" ] || fail "$2: $1 is not there"; }

lacks() { [ ! -e "$system$1" ] || fail "$2: $1 is there"; }

look() {
	say lintian
	for each in "${package%_*}"_*.deb; do # those for other machines as well
		lintian --fail-on error,warning --allow-root "$each"
	done
	dpkg-deb -x "$package" "$work/files"
	say "manual pages"
	for page in "$work"/files/usr/share/man/man*/*.gz; do
		if zcat "$page" | mandoc -mdoc -Tlint -Werror | grep -v 'mandoc.db'; then fail "$(basename "$page")"; fi
	done
	say units
	for unit in "$work"/files/lib/systemd/system/*.service; do
		systemd-analyze security --offline=true --threshold=20 "$unit" | tail -n 1
		# Its program is not on this machine.
		if systemd-analyze verify --man=no "$unit" 2>&1 | grep -F "$(basename "$unit")" | grep -v 'is not executable'; then
			fail "$(basename "$unit")"
		fi
	done
}

completes() { # LINE WANTED
	local got
	# shellcheck disable=SC2016 # the shell inside expands it
	got=$(inside bash -c '
		. /usr/share/bash-completion/bash_completion
		read -ra COMP_WORDS <<<"$1"
		case $1 in *" ") COMP_WORDS+=("") ;; esac
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$1 COMP_POINT=${#1}
		_completion_loader "${COMP_WORDS[0]}" || true
		function=$(complete -p "${COMP_WORDS[0]}" | sed -E "s/.*-F ([^ ]+).*/\1/")
		"$function" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
		echo "${COMPREPLY[*]}"' bash "$1")
	[ "$got" = "$2" ] || fail "completion of \"$1\": \"$got\", not \"$2\""
}

life() {
	local tarball=${ROOT:-$work/system.tar}
	if ! [ -e "$tarball" ]; then
		say "making a Debian system"
		mmdebstrap --quiet --format=tar --variant=minbase --include="$extra" "$suite" "$tarball"
	fi
	mkdir "$system"
	tar -C "$system" --exclude='./dev/*' -xf "$tarball"
	mount --bind /dev "$system/dev"
	mount -t proc proc "$system/proc"
	printf '#!/bin/sh\nexit 101\n' >"$system/usr/sbin/policy-rc.d"
	chmod +x "$system/usr/sbin/policy-rc.d"
	cp "$package" "$system/pymesh.deb"

	say installation
	inside dpkg -i /pymesh.deb >/dev/null
	inside id pymesh | grep -E 'spi.*gpio|gpio.*spi' >/dev/null || fail "the user: $(inside id pymesh)"
	[ "$(inside getent passwd pymesh | cut -d: -f6-7)" = /var/lib/pymesh:/usr/sbin/nologin ] || fail "$(inside getent passwd pymesh)"
	for unit in node gateway; do
		has /lib/systemd/system/pymesh-$unit.service installation
		[ "$(inside systemctl is-enabled pymesh-$unit.service || true)" = disabled ] || fail "pymesh-$unit is enabled"
	done
	for program in node gateway otcli sniff radiotest; do
		inside "pymesh-$program" -version >/dev/null 2>&1 || fail "pymesh-$program -version"
	done
	inside sh -c 'umask 077; echo 00112233445566778899aabbccddeeff >/etc/pymesh/key'
	inside pymesh-node -config /etc/pymesh/node.json -key-file /etc/pymesh/key -check 2>/dev/null || fail "the configuration of the node"
	inside env CREDENTIALS_DIRECTORY=/tmp sh -c 'cp /etc/pymesh/key /tmp/mesh.key; pymesh-gateway -config /etc/pymesh/gateway.toml -check' >/dev/null ||
		fail "the configuration of the gateway"

	say completion
	completes "pymesh-node -bo" "-board"
	completes "pymesh-node -region E" "EU868 EU433"
	completes "pymesh-sniff -board wa" "waveshare waveshare-pico"
	completes "pymesh-gateway c" "ctl"
	completes "pymesh-gateway ctl -" "-json -socket"

	say upgrade
	inside systemctl enable pymesh-node.service 2>/dev/null
	echo '{"board": "rfm95"}' >"$system/etc/pymesh/node.json"
	inside sh -c 'mkdir -m 700 /var/lib/pymesh && echo it >/var/lib/pymesh/pymesh-node.json && chown -R pymesh: /var/lib/pymesh'
	newer
	# Both have changed the file: dpkg would ask, and this is the answer that it proposes.
	inside dpkg --force-confold -i /newer.deb >/dev/null 2>&1 || fail upgrade
	grep -q rfm95 "$system/etc/pymesh/node.json" || fail "the upgrade has changed the configuration"
	[ "$(inside systemctl is-enabled pymesh-node.service)" = enabled ] || fail "the upgrade has disabled the node"
	has /var/lib/pymesh/pymesh-node.json upgrade

	say removal
	inside dpkg -r pymesh >/dev/null
	lacks /usr/bin/pymesh-node removal
	lacks /lib/systemd/system/pymesh-node.service removal
	for kept in /etc/pymesh/node.json /etc/pymesh/key /var/lib/pymesh/pymesh-node.json; do
		has "$kept" removal
	done
	inside dpkg -i /newer.deb >/dev/null 2>&1
	[ "$(inside systemctl is-enabled pymesh-node.service)" = enabled ] || fail "the second installation has disabled the node"

	say purge
	inside dpkg -P pymesh >/dev/null
	for gone in /etc/pymesh /var/lib/pymesh /etc/systemd/system/multi-user.target.wants/pymesh-node.service /usr/bin/pymesh-gateway; do
		lacks "$gone" purge
	done
}

# newer makes a package of the same files with a later version.
newer() {
	dpkg-deb -R "$package" "$work/newer"
	sed -i 's/^Version: .*/&+newer/' "$work/newer/DEBIAN/control"
	echo >>"$work/newer/etc/pymesh/node.json" # the maintainer's version changes as well
	(cd "$work/newer" && find . -type f -not -path './DEBIAN/*' -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums)
	dpkg-deb --root-owner-group -b -Znone "$work/newer" "$system/newer.deb" >/dev/null
}

arch=$(dpkg --print-architecture)
package=${1:-}
if [ -z "$package" ]; then
	package=$(find "${OUT:-$here/dist}" -name "pymesh_*_$arch.deb" -printf '%T@ %p\n' 2>/dev/null | sort -n | tail -n 1 | cut -d' ' -f2-)
fi
[ -e "$package" ] || fail "no package for $arch: packaging/build.sh makes one"
say "$package"
look
life
say ok
