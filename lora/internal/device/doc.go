// Package device opens what a chip is wired to on a Linux host: the kernel's /dev/spidev and /dev/gpiochip files. Its errors say what
// to do.
package device
