package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// asProgram in the environment has the test's own file be the program.
const asProgram = "PYMESH_TEST_IS_SIM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestCompletion has bash complete flags with completion.bash, as it does for somebody who types.
func TestCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("there is no bash, or one that may be of 2007: completion is not tried")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "sim")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	complete := func(words ...string) []string {
		// What bash does at the tabulator key: the function that complete has noted, with the program, the word and the one before it.
		const script = `. "$1"; shift
			COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
			function=$(complete -p "$1" | sed -nE 's/.* -F ([^ ]+) .*/\1/p')
			"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
			printf '%s\n' "${COMPREPLY[@]}"`
		c := exec.Command(bash, append([]string{"--norc", "-c", script, "bash", "../completion.bash"}, words...)...)
		c.Env = append(os.Environ(), asProgram+"=1", "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, err := c.Output()
		if err != nil {
			t.Fatalf("%q: %v", words, err)
		}
		return strings.Fields(string(out))
	}
	for word, want := range map[string][]string{
		"-topo": {"-topology"}, "-vers": {"-version"}, "-se": {"-seed", "-seeds"}, "-zz": nil, "farm": nil,
	} {
		if got := complete("sim", word); !slices.Equal(got, want) {
			t.Errorf("sim %s is completed as %q, want %q", word, got, want)
		}
	}
	if got := complete("sim", "-nodes", "4", "-"); len(got) < 25 || !slices.Contains(got, "-duty") {
		t.Errorf("sim -nodes 4 - has the flags %q", got)
	}
}
