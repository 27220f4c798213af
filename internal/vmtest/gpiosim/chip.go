//go:build linux

package gpiosim

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// configRoot is where configfs shows gpio-sim.
const configRoot = "/sys/kernel/config/gpio-sim"

// Line is a line of a chip.
type Line struct {
	Name string
	User string // the kernel's driver that has the line, as an output that is high; "" for none
}

// Bank is what a chip is made from.
type Bank struct {
	Label string
	Lines []Line
}

// Chip is a GPIO chip.
type Chip struct {
	// Name is its name in /dev.
	Name string

	config string // directory in configfs
	sysfs  string // directory with the lines' pull
	base   int    // global number of line 0
	lines  int
}

// New makes a chip, whose name among all of gpio-sim is that of its label.
func New(bank Bank) (*Chip, error) {
	c := &Chip{config: filepath.Join(configRoot, bank.Label), lines: len(bank.Lines)}
	if err := c.describe(bank); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(c.config, "live"), []byte("1"), 0); err != nil {
		return nil, err
	}
	device, err := readLine(filepath.Join(c.config, "dev_name"))
	if err != nil {
		return nil, err
	}
	if c.Name, err = readLine(filepath.Join(c.config, "bank0", "chip_name")); err != nil {
		return nil, err
	}
	c.sysfs = filepath.Join("/sys/devices/platform", device, c.Name)
	c.base, err = findBase(bank.Label)
	return c, err
}

// describe describes the chip in configfs.
func (c *Chip) describe(bank Bank) error {
	dir := filepath.Join(c.config, "bank0")
	type attribute struct{ dir, file, value string }
	attributes := []attribute{{dir, "label", bank.Label}, {dir, "num_lines", strconv.Itoa(len(bank.Lines))}}
	for i, line := range bank.Lines {
		dir := filepath.Join(dir, fmt.Sprintf("line%d", i))
		if line.Name != "" {
			attributes = append(attributes, attribute{dir, "name", line.Name})
		}
		if line.User != "" {
			hog := filepath.Join(dir, "hog")
			attributes = append(attributes, attribute{hog, "name", line.User}, attribute{hog, "direction", "output-high"})
		}
	}
	for _, a := range attributes {
		if err := os.MkdirAll(a.dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(a.dir, a.file), []byte(a.value), 0); err != nil {
			return err
		}
	}
	return nil
}

// Drive sets what a line reads while it is an input.
func (c *Chip) Drive(offset int, high bool) error {
	pull := "pull-down"
	if high {
		pull = "pull-up"
	}
	return os.WriteFile(filepath.Join(c.sysfs, fmt.Sprintf("sim_gpio%d", offset), "pull"), []byte(pull), 0)
}

// findBase returns the global number of the first line of the chip with a label.
func findBase(label string) (int, error) {
	dirs, _ := filepath.Glob("/sys/class/gpio/gpiochip*")
	for _, dir := range dirs {
		if l, err := readLine(filepath.Join(dir, "label")); err != nil || l != label {
			continue
		}
		base, err := readLine(filepath.Join(dir, "base"))
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(base)
	}
	return 0, fmt.Errorf("gpiosim: no chip in /sys/class/gpio has the label %q", label)
}

func readLine(path string) (string, error) {
	b, err := os.ReadFile(path)
	return strings.TrimSpace(string(b)), err
}
