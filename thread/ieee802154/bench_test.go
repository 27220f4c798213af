package ieee802154

import "testing"

// benchFrame returns a secured data frame whose PSDU has 100 bytes.
func benchFrame() Frame {
	f := sealTests[0].frame
	f.Security = auxMode1
	f.Payload = make([]byte, 100-f.Overhead())
	return f
}

func BenchmarkSeal(b *testing.B) {
	f, ccm := benchFrame(), NewCCM(annexCKey)
	buf := make([]byte, 0, MaxPSDU)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.AppendSealed(buf, ccm, extA); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	f, ccm := benchFrame(), NewCCM(annexCKey)
	psdu, err := f.AppendSealed(nil, ccm, extA)
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, MaxPSDU)
	b.ReportAllocs()
	for b.Loop() {
		f, err := ParseFrame(psdu)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.Open(buf, psdu, ccm, extA); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	f := benchFrame()
	psdu, err := f.AppendSealed(nil, NewCCM(annexCKey), extA)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseFrame(psdu); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	f := benchFrame()
	buf := make([]byte, 0, MaxPSDU)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.AppendBinary(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFCS(b *testing.B) {
	psdu := make([]byte, 100)
	for b.Loop() {
		FCS(psdu)
	}
}

// TestAllocs pins that the frame path does not allocate.
func TestAllocs(t *testing.T) {
	f, ccm := benchFrame(), NewCCM(annexCKey)
	f.Payload[0] = 1
	buf := make([]byte, 0, MaxPSDU)
	var failed error
	n := testing.AllocsPerRun(100, func() {
		psdu, err := f.AppendSealed(buf, ccm, extA)
		if err != nil {
			failed = err
			return
		}
		received, err := ParseFrame(psdu)
		if err != nil {
			failed = err
			return
		}
		if _, err := received.AppendBinary(buf); err != nil {
			failed = err
		}
		if _, err := received.Open(received.Payload[:0], psdu, ccm, extA); err != nil {
			failed = err
		}
		AppendAck(buf, f.Seq, true)
	})
	if n != 0 || failed != nil {
		t.Errorf("%v allocations a frame, %v", n, failed)
	}
}
