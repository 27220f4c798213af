// Package about gives example programs -version.
package about

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Register adds -version to a set: [ErrVersion] is its error then, to be handled like flag.ErrHelp, after the version was printed.
func Register(set *flag.FlagSet, print func(string)) {
	set.BoolFunc("version", "print the version and end", func(string) error {
		print(Version(set.Name()))
		return flag.ErrHelp
	})
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
