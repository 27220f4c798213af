package sx1276

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/gopymesh/pymesh/lora"
)

// TestOpenWithoutSPI runs where there is no SPI. What Open does with devices is tested in a virtual
// machine (internal/vmtest).
func TestOpenWithoutSPI(t *testing.T) {
	if _, err := os.Stat("/dev/spidev0.0"); err == nil {
		t.Skip("this host has /dev/spidev0.0")
	}
	for _, board := range Boards() {
		_, err := Open(board, lora.Config{})
		problem, typed := (*Problem)(nil), (*lora.Error)(nil)
		if !errors.As(err, &problem) || !errors.As(err, &typed) || !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s: %v", board.Name, err)
		}
		if typed.Op != "open" || problem.Remedy == "" || !strings.Contains(err.Error(), fmt.Sprintf("/dev/spidev%d.%d", board.Bus, board.ChipSelect)) {
			t.Errorf("%s: %v", board.Name, err)
		}
		checks := Diagnose(board, lora.Config{})
		if len(checks) != 1 || checks[0].Remedy() != problem.Remedy {
			t.Errorf("%s: %v", board.Name, checks)
		}
	}
	if _, err := Open(DraginoHAT, lora.Config{TxPower: 99}); err == nil || !strings.Contains(err.Error(), "TxPower") {
		t.Errorf("wrong configuration: %v", err)
	}
}

func TestRemedies(t *testing.T) {
	for version, want := range map[byte]string{0: "SX1262", 0xff: "UART"} {
		if err := wrongVersion(version); !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}
