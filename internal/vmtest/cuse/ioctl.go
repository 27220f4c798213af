//go:build linux

package cuse

// Ioctl is an ioctl of a program that has the device open.
//
// A handler names all memory that it needs, with Read and Buffer, and then asks Ready. The error of
// Ready it returns, and is called again with that memory, when it must ask for the same, in the same
// order, before it asks for more.
type Ioctl struct {
	Cmd uint32
	Arg uint64 // often an address

	data        []byte // content of the regions to read, as far as it is known
	outSize     int    // of the regions to write that the kernel knows
	in, out     []region
	buffers     [][]byte
	need, space int // bytes asked for
}

// region is memory of the caller.
type region struct {
	base, size uint64
}

func parseIoctl(b []byte) (*Ioctl, error) {
	if len(b) < ioctlInSize {
		return nil, errShort
	}
	q := &Ioctl{Cmd: host.Uint32(b[12:]), Arg: host.Uint64(b[16:]), data: b[ioctlInSize:], outSize: int(host.Uint32(b[28:]))}
	if size := host.Uint32(b[24:]); int64(size) != int64(len(q.data)) {
		return nil, errShort
	}
	return q, nil
}

// Read returns n bytes of the caller's memory. They are nil until Ready says that they are known.
func (q *Ioctl) Read(addr uint64, n int) []byte {
	q.in = append(q.in, region{addr, uint64(n)})
	start := q.need
	q.need += n
	if q.need > len(q.data) {
		return nil
	}
	return q.data[start:q.need]
}

// Buffer returns n bytes which are copied to the caller's memory when the handler has returned
// without an error.
func (q *Ioctl) Buffer(addr uint64, n int) []byte {
	q.out = append(q.out, region{addr, uint64(n)})
	q.space += n
	buf := make([]byte, n)
	q.buffers = append(q.buffers, buf)
	return buf
}

// Ready returns an error while there is memory that Read or Buffer asked for and that the kernel
// has not given.
func (q *Ioctl) Ready() error {
	if q.need > len(q.data) || q.space > q.outSize {
		return errMore
	}
	return nil
}

// appendRetry appends the answer that asks for memory.
func (q *Ioctl) appendRetry(b []byte, req request) []byte {
	body := ioctlOut(flagRetry, len(q.in), len(q.out))
	for _, regions := range [][]region{q.in, q.out} {
		for _, r := range regions {
			body = host.AppendUint64(body, r.base)
			body = host.AppendUint64(body, r.size)
		}
	}
	return appendAnswer(b, req, nil, body)
}

// appendResult appends the final answer.
func (q *Ioctl) appendResult(b []byte, req request) []byte {
	return appendAnswer(b, req, nil, append([][]byte{ioctlOut(0, 0, 0)}, q.buffers...)...)
}

func ioctlOut(flags uint32, in, out int) []byte {
	const result = 0
	var b []byte
	for _, v := range [...]uint32{result, flags, uint32(in), uint32(out)} {
		b = host.AppendUint32(b, v)
	}
	return b
}
