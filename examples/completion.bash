# Flags of the example programs for bash: . examples/completion.bash
# They are asked of the program itself, by -h. Names are those of the built programs, with pymesh- before them or without.
_pymesh() {
	local word=${COMP_WORDS[COMP_CWORD]}
	case $word in
	-*) mapfile -t COMPREPLY < <(compgen -W "$("$1" -h 2>&1 | sed -nE 's/^  (-[a-z0-9-]+).*/\1/p')" -- "$word") ;;
	esac
}
complete -o default -F _pymesh {,pymesh-}{node,otcli,quickstart,radiotest,sim,sniff,topology}
