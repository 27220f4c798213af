// Figures draws the pictures in docs, from what happens on a simulated air: the same each time, for the same code.
//
//	go run ./docs/figures          # from the top of the repository
//
// A test holds the pictures in step with the code; go test ./docs/figures -update draws them anew, too.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := write("docs"); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

// write draws all pictures into a directory.
func write(dir string) error {
	for _, f := range figures {
		picture, err := f.draw()
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, f.name), picture, 0o644); err != nil {
			return err
		}
	}
	return nil
}
