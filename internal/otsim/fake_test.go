//go:build unix

package otsim

import (
	"os"
	"testing"

	"github.com/gopymesh/pymesh/internal/otsim/fakenode"
)

func TestMain(m *testing.M) {
	fakenode.Main()
	os.Exit(m.Run())
}

// addFake starts this test program as a simulated node.
func addFake(t *testing.T, c *Controller, id int) *Process {
	t.Setenv(fakenode.Variable, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return c.AddProcess(self, id)
}
