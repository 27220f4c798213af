package lowpan

import (
	"bytes"
	"testing"

	"github.com/gopymesh/pymesh/thread/ip6"
)

func FuzzCompress(f *testing.F) {
	for _, test := range iphcTests {
		datagram, _ := split(f, test.datagram)
		f.Add(datagram, true, false)
	}
	ctx := testContexts(f)
	f.Fuzz(func(t *testing.T, datagram []byte, srcIsExt, dstIsExt bool) {
		src, dst := shortMAC, shortMAC
		if srcIsExt {
			src = extMAC
		}
		if dstIsExt {
			dst = extMAC
		}
		head, consumed, err := Compress(nil, datagram, src, dst, ctx)
		if err != nil {
			return
		}
		frame := append(head, datagram[consumed:]...)
		for _, size := range []int{0, len(datagram)} {
			got, n, err := Decompress(nil, frame, src, dst, ctx, size)
			if err != nil || n != len(frame)-len(datagram)+consumed || !bytes.Equal(got, datagram[:consumed]) {
				t.Fatalf("%x\nbecame %x\nand then %x, %v", datagram, frame, got, err)
			}
		}
	})
}

func FuzzDecompress(f *testing.F) {
	for _, test := range iphcTests {
		f.Add(unhex(f, test.frame), uint16(0))
		f.Add(unhex(f, test.frame), uint16(200))
	}
	ctx := testContexts(f)
	f.Fuzz(func(t *testing.T, frame []byte, size uint16) {
		h, _, headerErr := DecompressHeader(frame, extMAC, shortMAC, ctx)
		out, consumed, err := Decompress(nil, frame, extMAC, shortMAC, ctx, int(size))
		if err != nil {
			return
		}
		if got, err := ip6.ParseHeader(out); headerErr != nil || err != nil || got.Src != h.Src || got.Dst != h.Dst {
			t.Fatalf("DecompressHeader: %+v, %v", h, headerErr)
		}
		datagram := append(out, frame[consumed:]...)
		if size != 0 {
			datagram = append(datagram, make([]byte, int(size)-len(datagram))...)
		}
		head, consumed, err := Compress(nil, datagram, extMAC, shortMAC, ctx)
		if err != nil {
			t.Fatalf("%x\nbecame %x: %v", frame, datagram, err)
		}
		got, _, err := Decompress(nil, append(head, datagram[consumed:]...), extMAC, shortMAC, ctx, 0)
		if err != nil || !bytes.Equal(got, datagram[:consumed]) {
			t.Fatalf("%x\nbecame %x\nand then %x, %v", frame, datagram, got, err)
		}
	})
}

func TestAllocs(t *testing.T) {
	ctx := testContexts(t)
	datagram, _ := split(t, "60000000 0012 00 40"+rloc0c00+realmAll+"1100 6d020007 0100 4d4c4d4c 000a 1234")
	frame, headers := make([]byte, 0, 127), make([]byte, 0, MaxDatagramSize)
	if n := testing.AllocsPerRun(100, func() {
		out, consumed, err := Compress(frame, datagram, extMAC, shortMAC, ctx)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, datagram[consumed:]...)
		if _, _, err = Decompress(headers, out, extMAC, shortMAC, ctx, 0); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCompress(b *testing.B) {
	ctx := testContexts(b)
	datagram, _ := split(b, "60000000 0012 00 40"+rloc0c00+realmAll+"1100 6d020007 0100 4d4c4d4c 000a 1234")
	out := make([]byte, 0, 127)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Compress(out, datagram, extMAC, shortMAC, ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecompress(b *testing.B) {
	ctx := testContexts(b)
	frame := append(unhex(b, "7e6a 0c00 03 000001 e1 04 6d020007 f0 4d4c4d4c 1234"), 0xca, 0xfe)
	out := make([]byte, 0, 127)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Decompress(out, frame, extMAC, shortMAC, ctx, 0); err != nil {
			b.Fatal(err)
		}
	}
}
