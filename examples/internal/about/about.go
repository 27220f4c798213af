// Package about gives example programs -h and -version.
package about

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// Register adds -version to a set. A program that finds it set prints the Version and ends.
func Register(set *flag.FlagSet) *bool {
	return set.Bool("version", false, "print the version and end")
}

// Parse parses the flags of a program that has -h and -version. It carries these out, to w, and returns flag.ErrHelp then; the program ends well.
// Other errors are the caller's to print.
func Parse(set *flag.FlagSet, args []string, usage string, w io.Writer) error {
	version := Register(set)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(w, usage)
		set.SetOutput(w)
		set.PrintDefaults()
	case err == nil && *version:
		fmt.Fprintln(w, Version(set.Name()))
		err = flag.ErrHelp
	}
	return err
}

// Version tells what a program was built from.
func Version(program string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return program + ": no build information"
	}
	version, revision, modified := info.Main.Version, "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = ", revision " + s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = ", with local changes"
		}
	}
	if version == "" {
		version = "(devel)"
	}
	return fmt.Sprintf("%s of %s %s%s%s, %s %s/%s", program, info.Main.Path, version, revision, modified, info.GoVersion, runtime.GOOS, runtime.GOARCH)
}
