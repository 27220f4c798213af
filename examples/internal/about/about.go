// Package about gives example programs -version.
package about

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Register adds -version to a set. A program that finds it set prints the Version and ends.
func Register(set *flag.FlagSet) *bool {
	return set.Bool("version", false, "print the version and end")
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
