#!/usr/bin/env bash
# Makes the Debian packages of pymesh: see packaging/README.md.
#
#   packaging/build.sh [ARCHITECTURE...]     arm (ARMv6: every Raspberry Pi), arm64, amd64; all three without
#
# They come to $OUT, or packaging/dist. The version is that of the latest tag (VERSION sets another), the time that of the commit.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly root=$here/..
readonly nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
readonly programs=(node otcli sniff radiotest) # those of the root module; the gateway is a module of its own

work=$(mktemp -d)
readonly work
readonly tree=$work/root # what is on the machine after an installation
trap 'rm -rf "$work"' EXIT

say() { printf 'packaging: %s\n' "$*"; }

# version prints the version, as Debian sorts it: a commit after tag v0.1.0 is later than 0.1.0, one before any tag earlier.
version() {
	local tag
	if tag=$(git -C "$root" describe --tags --exact-match --match 'v*' 2>/dev/null); then
		echo "${tag#v}"
	elif tag=$(git -C "$root" describe --tags --match 'v*' --abbrev=0 2>/dev/null); then
		echo "${tag#v}+$(git -C "$root" show -s --format=git%cd.%h --date=format:%Y%m%d)"
	else
		echo "0.1.0~$(git -C "$root" show -s --format=git%cd.%h --date=format:%Y%m%d)"
	fi
}

# compile builds the programs for a machine into a directory.
compile() {
	local arch=$1 out=$2
	local flags=(-trimpath -ldflags='-s -w')
	export CGO_ENABLED=0 GOOS=linux GOARCH=$arch GOARM=6
	if [ "$arch" != arm ]; then
		flags+=(-buildmode=pie)
	fi
	mkdir -p "$out"
	for program in "${programs[@]}"; do
		(cd "$root" && go build "${flags[@]}" -o "$out/pymesh-$program" "./examples/$program")
	done
	(cd "$root/examples/gateway" && go build "${flags[@]}" -o "$out/pymesh-gateway" .)
}

# options turns what a program says of its flags into a list of mdoc(7): "  -name argument", and below it a tab and the text.
options() {
	awk '
		function text(s) { gsub(/\\/, "\\e", s); gsub(/-/, "\\-", s); sub(/^[.'"'"']/, "\\\\\\&&", s); return s }
		BEGIN { print ".Bl -tag -width Ds" }
		/^  -/ {
			listed = 1
			split($0, field, "\t") # a flag of one letter has its text on the same line
			n = split(substr(field[1], 4), word, " ")
			line = ".It Fl " text(word[1])
			for (i = 2; i <= n; i++) line = line (i == 2 ? " Ar " : " ") text(word[i])
			print line
			if (field[2] != "") print text(field[2])
			next
		}
		listed && /^ +\t/ { sub(/^ +\t/, ""); print text($0) }
		END { print ".El" }'
}

# manual fills the pages in: the options are what the programs of this machine say.
manual() {
	local into=$1 page program
	for page in "$here"/man/*.[18]; do
		program=$(basename "${page%.*}")
		"$work/host/$program" -h 2>&1 | options >"$work/options"
		: >"$work/ctl"
		if [ "$program" = pymesh-gateway ]; then
			{ "$work/host/$program" ctl -h 2>&1 || true; } | options >"$work/ctl"
		fi
		local section=${page##*.}
		mkdir -p "$into/man$section"
		sed -e "/^@OPTIONS@\$/{r $work/options" -e 'd}' -e "/^@CTL@\$/{r $work/ctl" -e 'd}' \
			-e "s/@DATE@/$(date -u -d "@$SOURCE_DATE_EPOCH" +'%B %-d, %Y')/" "$page" |
			gzip -9n >"$into/man$section/$(basename "$page").gz"
	done
}

# components prints the licences of all that is linked into the programs.
components() {
	(
		cd "$root"
		list='{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}	{{.Dir}}{{end}}{{end}}'
		go list -deps -f "$list" "${programs[@]/#/./examples/}"
		cd examples/gateway
		go list -deps -f "$list" .
	) | grep -v '^github.com/gopymesh/pymesh ' | sort -u | while IFS=$'\t' read -r module folder; do
		[ -n "$module" ] || continue
		printf '%s\n\n' "==== $module"
		find "$folder" -maxdepth 1 -type f -iregex '.*/\(licen[sc]e\|copying\|notice\|edl\|epl\)[^/]*' | sort | while read -r file; do
			cat "$file"
			echo
		done
	done
	printf '==== the Go standard library and runtime, %s\n\n' "$(go env GOVERSION)"
	cat "$(go env GOROOT)/LICENSE"
	printf "\n==== d3 and uPlot, on the gateway's page\n\n"
	cat "$root"/examples/gateway/internal/web/static/vendor/LICENSE*
}

# documents makes what Debian wants to find in /usr/share/doc.
documents() {
	local into=$1
	mkdir -p "$into/examples"
	cat >"$into/copyright" <<-EOF
		Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
		Upstream-Name: pymesh
		Source: https://github.com/gopymesh/pymesh

		Files: *
		Copyright: Copyright 2026 the pymesh authors
		License: Apache-2.0
		 On Debian systems the text of the Apache License 2.0 is in
		 /usr/share/common-licenses/Apache-2.0.
		Comment: The programs have parts of other authors, linked into them. What these are, and their
		 licences, is in /usr/share/doc/pymesh/components.gz.
	EOF
	components | gzip -9n >"$into/components.gz"
	{
		printf 'pymesh (%s) unstable; urgency=medium\n\n  * See https://github.com/gopymesh/pymesh/blob/main/CHANGELOG.md\n\n' "$PACKAGE_VERSION"
		printf ' -- pymesh maintainers <pymesh@gopymesh.invalid>  %s\n' "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
	} | gzip -9n >"$into/changelog.gz"
	gzip -9n <"$root/CHANGELOG.md" >"$into/NEWS.md.gz"
	cp "$here/files/README.Debian" "$root/netif/pymesh-nat66.nft" "$here/files/90-pymesh-border-router.conf" "$into/"
	mv "$into/pymesh-nat66.nft" "$into/90-pymesh-border-router.conf" "$into/examples/"
}

# stage lays everything but the programs where it is to be on the machine.
stage() {
	install -D -m 644 "$here/files/pymesh.sysusers" "$tree/usr/lib/sysusers.d/pymesh.conf"
	install -D -m 644 "$here/files/pymesh.udev" "$tree/lib/udev/rules.d/60-pymesh.rules"
	install -D -m 644 -t "$tree/lib/systemd/system" "$here"/files/*.service
	install -D -m 644 "$here/files/lintian-overrides" "$tree/usr/share/lintian/overrides/pymesh"
	# bash loads the file of a command's name. Those without pymesh- before them are others' names on an installed machine.
	local completions=$tree/usr/share/bash-completion/completions
	mkdir -p "$completions"
	sed 's/{,pymesh-}/pymesh-/' "$root/examples/completion.bash" >"$completions/pymesh-node"
	for program in otcli sniff radiotest gateway; do
		ln -s pymesh-node "$completions/pymesh-$program"
	done
	manual "$tree/usr/share/man"
	documents "$tree/usr/share/doc/pymesh"
	mkdir -p "$work/etc" "$tree/var/lib"
	cp "$root/examples/node/node.json" "$work/etc/node.json"
	# What the unit has room for is on; all else stays as the file explains it.
	sed -e 's|^# \(socket = "/run/pymesh/\)|\1|' -e 's|^# \(spool = "/var/lib/pymesh/\)|\1|' "$root/examples/gateway/gateway.toml" >"$work/etc/gateway.toml"
	cp -r "$here/scripts" "$work/scripts"
	find "$tree" "$work/etc" -type d -exec chmod 755 {} +
	find "$tree" "$work/etc" -type f -exec chmod 644 {} +
	find "$tree" "$work/etc" "$work/scripts" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

# pack makes one package.
pack() {
	local arch=$1 out=$2
	compile "$arch" "$tree/usr/bin"
	find "$tree/usr" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	case $arch in
	arm) PACKAGE_ARCH=armhf ;; # for Debian's and Raspberry Pi OS's hard-float ABI; the code is ARMv6's
	*) PACKAGE_ARCH=$arch ;;
	esac
	export PACKAGE_ARCH
	(cd "$work" && env -u GOARCH -u GOARM -u GOOS go run "$nfpm" package -f "$here/nfpm.yaml" -p deb -t "$out/")
}

main() {
	local out=${OUT:-$here/dist} arch
	mkdir -p "$out"
	out=$(cd "$out" && pwd)
	[ $# -gt 0 ] || set -- arm arm64 amd64
	for arch in "$@"; do
		case $arch in
		arm | arm64 | amd64) ;;
		*)
			say "no architecture $arch: arm, arm64 and amd64" >&2
			exit 2
			;;
		esac
	done
	PACKAGE_VERSION=${VERSION:-$(version)}
	SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" show -s --format=%ct)}
	export PACKAGE_VERSION SOURCE_DATE_EPOCH
	say "version $PACKAGE_VERSION"
	(compile "$(go env GOHOSTARCH)" "$work/host")
	stage
	for arch in "$@"; do
		say "$arch"
		(pack "$arch" "$out")
	done
}

main "$@"
