// Package cuse serves a character device of Linux from a program, by the kernel's interface for
// "character devices in user space": /dev/cuse, module cuse.
//
// # The protocol
//
// It is FUSE's, version 7, in the byte order of the host (include/uapi/linux/fuse.h). Each read of
// /dev/cuse gives one request, each write answers one:
//
//	request  +--------+--------+--------+--------+-----+-----+-----+--------+
//	         | length | opcode | unique | nodeid | uid | gid | pid | unused | body…
//	         |      4 |      4 |      8 |      8 |   4 |   4 |   4 |      4 |
//	         +--------+--------+--------+--------+-----+-----+-----+--------+
//	answer   +--------+--------+--------+
//	         | length | -errno | unique | body…
//	         |      4 |      4 |      8 |
//	         +--------+--------+--------+
//
// The first request, CUSE_INIT, is answered with the name of the device, which appears in /dev
// then, and goes when /dev/cuse is closed.
//
// # ioctl
//
// What an ioctl reads and writes of its caller's memory, the kernel cannot know. An answer with
// FUSE_IOCTL_RETRY lists regions of memory: base and length, 8 bytes each, those to read before
// those to write. The kernel then repeats the request with the content of the regions to read.
// Where these hold pointers to more, one asks again. The final answer carries the content of the
// regions to write.
package cuse
