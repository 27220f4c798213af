# Flags of the example programs for bash: . examples/completion.bash
# They are asked of the program itself, by -h. Names are those of the built programs, with pymesh- before them or without.
_pymesh() {
	local program=$1 word=$2 before=$3 words=()
	[ "${COMP_WORDS[1]:-}" != ctl ] || [ "$COMP_CWORD" -eq 1 ] || words=(ctl)
	case $before in
	-board | -sx1276 | -region | -mode | -probe | -timing) # a list in the flag's own text: "name of the hat: dragino, adafruit"
		mapfile -t COMPREPLY < <(compgen -W "$(_pymesh_help | _pymesh_values "${before/sx1276/board}")" -- "$word")
		return
		;;
	esac
	case $word in
	-*) mapfile -t COMPREPLY < <(compgen -W "$(_pymesh_help | sed -nE 's/^  (-[a-z0-9-]+).*/\1/p')" -- "$word") ;;
	*)
		case $program:$COMP_CWORD in
		*gateway:1) mapfile -t COMPREPLY < <(compgen -W ctl -- "$word") ;;
		esac
		;;
	esac
}
# What the program says of its flags, or of those of ctl.
_pymesh_help() { "$program" "${words[@]}" -h 2>&1; }
# The values that the text of a flag names: the words after a colon, or those in quotes, or before the comments in parentheses.
_pymesh_values() {
	sed -nE "/^  $1( |\$)/{n;p}" | sed -E \
		-e 's/\(default .*//' \
		-e '/"[a-z]+" for/{s/[^"]*"([a-z]+)"[^"]*/\1 /g;b' -e '}' \
		-e 's/^[^:]*: //' -e 's/.*profile of [^,]*, ([a-z0-9.]+) or ([a-z]+).*/\1 \2/' -e 's/\([^)]*\)//g' -e 's/,/ /g'
}
complete -o default -F _pymesh {,pymesh-}{gateway,join,node,otcli,quickstart,radiotest,sim,sniff,topology}
