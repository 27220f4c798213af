// Package hardware is what surrounds the kernel in the virtual machine: the pins of a Raspberry Pi,
// its SPI bus, the hats on it, and the air.
//
// The tests, in another process, plug hats and make faults by remote procedure calls: see [Machine].
// The driver knows nothing of that, and uses the kernel's files:
//
//	  lora/sx1276                      process of the tests
//	──────┬──────────────────┬────────
//	/dev/spidev0.0    /dev/gpiochip0   kernel: CUSE, gpio-sim
//	──────┬──────────────────┬────────
//	    Port               lines       process of the hardware
//	      └──── bus ─── hat ─┘
//	         sx1276emu.Chip
//	               │
//	          lorasim.Air ─── a radio far away
package hardware

// Socket is where the hardware listens for its procedure calls.
const Socket = "/run/hardware"
