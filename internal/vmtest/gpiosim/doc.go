// Package gpiosim makes GPIO chips out of nothing, by Linux' module gpio-sim, and is the other end
// of their wires: it sets what an input reads, and sees what an output is set to.
//
// A chip is described in a directory of configfs below gpio-sim/, and is there once its file "live"
// holds 1 (Documentation/admin-guide/gpio/gpio-sim.rst). What an input reads is set in sysfs, by the
// file "pull" of the line.
//
// # How outputs are seen
//
// No file tells when an output changes, and a chip select may change back within microseconds. But
// the kernel can trace each change of a line's level and direction, in the order in which they happen
// (tracefs, events/gpio):
//
//	gpio_value: 487 set 1
//	gpio_direction: 487  in (0)
//
// The number is the line's in the old, global numbering. Reading the trace up to its end gives all
// that was done before: whoever gets an SPI transfer reads the trace first, and then knows which
// device is selected.
package gpiosim
