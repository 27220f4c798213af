package thread_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// BenchmarkMesh runs whole meshes in virtual time: IEEE 802.15.4 timing, an ideal air, all nodes hearing each other, all started at
// the same moment. An operation is the whole run, from power-on.
func BenchmarkMesh(b *testing.B) {
	for _, bb := range []struct {
		nodes int
		time  time.Duration
	}{{4, time.Hour}, {32, time.Hour}, {200, 10 * time.Minute}} {
		b.Run(fmt.Sprintf("%dnodes/%v", bb.nodes, bb.time), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m := meshtest.New(b, ideal())
				for range bb.nodes {
					m.Add(1, lorasim.Position{}, stock)
				}
				for _, n := range m.Nodes {
					n.Start()
				}
				m.Run(bb.time)
				if !m.OneMesh() {
					b.Fatal(m)
				}
			}
			b.ReportMetric(bb.time.Seconds()*float64(b.N)/b.Elapsed().Seconds(), "virtual-s/s")
		})
	}
}

// BenchmarkMemory reports the memory of a node that is part of a mesh.
func BenchmarkMemory(b *testing.B) {
	const nodes = 200
	measure := func() uint64 {
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	for b.Loop() {
		before := measure()
		m := meshtest.New(b, ideal())
		for range nodes {
			m.Add(1, lorasim.Position{}, stock)
		}
		for _, n := range m.Nodes {
			n.Start()
		}
		m.Run(10 * time.Minute)
		b.ReportMetric(float64(measure()-before)/nodes, "bytes/node")
		runtime.KeepAlive(m)
	}
}

// frame is a secured data frame of 100 bytes with a compressed UDP datagram, and what is needed to make it.
func frame(b *testing.B) (psdu, datagram []byte, ccm *ieee802154.CCM, contexts *lowpan.Contexts, header ieee802154.Frame) {
	ccm = ieee802154.NewCCM(keys.Derive(meshtest.NetworkKey, 0).MAC)
	contexts = new(lowpan.Contexts)
	if err := contexts.Set(lowpan.MeshLocalContext, lowpan.Context{Prefix: thread.DefaultMeshLocalPrefix, Compress: true}); err != nil {
		b.Fatal(err)
	}
	header = ieee802154.Frame{
		Type: ieee802154.Data, Version: ieee802154.Version2006, AckRequest: true, PANIDCompression: true, Seq: 1,
		DstPAN: 0x1234, SrcPAN: 0x1234, Dst: ieee802154.ShortAddress(0x5800), Src: ieee802154.ShortAddress(0x8c00),
		Security: ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex, KeyIndex: 1},
	}
	for size := 1; len(psdu) < 100; size++ {
		var err error
		datagram, err = ip6.AppendUDP(nil, ip6.Header{
			HopLimit: 64, Src: mle.RLOC16(0x8c00).Addr(thread.DefaultMeshLocalPrefix), Dst: mle.RLOC16(0x5800).Addr(thread.DefaultMeshLocalPrefix),
		}, 1234, 1234, make([]byte, size))
		if err != nil {
			b.Fatal(err)
		}
		payload, consumed, err := lowpan.Compress(nil, datagram, header.Src, header.Dst, contexts)
		if err != nil {
			b.Fatal(err)
		}
		f := header
		f.Payload = append(payload, datagram[consumed:]...)
		if psdu, err = f.AppendSealed(nil, ccm, meshtest.ExtAddr(1)); err != nil {
			b.Fatal(err)
		}
	}
	return psdu, datagram, ccm, contexts, header
}

// BenchmarkFrameIn parses, authenticates, decrypts and decompresses one frame of 100 bytes, down to the UDP header.
func BenchmarkFrameIn(b *testing.B) {
	psdu, _, ccm, contexts, _ := frame(b)
	plain, out := make([]byte, 0, 128), make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		f, err := ieee802154.ParseFrame(psdu)
		if err != nil {
			b.Fatal(err)
		}
		if plain, err = f.Open(plain[:0], psdu, ccm, meshtest.ExtAddr(1)); err != nil {
			b.Fatal(err)
		}
		var n int
		if out, n, err = lowpan.Decompress(out[:0], plain, f.Src, f.Dst, contexts, 0); err != nil {
			b.Fatal(err)
		}
		out = append(out, plain[n:]...)
		d, err := ip6.ParseDatagram(out)
		if err != nil {
			b.Fatal(err)
		}
		if err = ip6.VerifyUDP(d.Src, d.Dst, d.Payload); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFrameOut compresses a datagram and builds, encrypts and authenticates its frame of 100 bytes.
func BenchmarkFrameOut(b *testing.B) {
	_, datagram, ccm, contexts, f := frame(b)
	payload, psdu := make([]byte, 0, 128), make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		var n int
		var err error
		if payload, n, err = lowpan.Compress(payload[:0], datagram, f.Src, f.Dst, contexts); err != nil {
			b.Fatal(err)
		}
		payload = append(payload, datagram[n:]...)
		f.Payload = payload
		if psdu, err = f.AppendSealed(psdu[:0], ccm, meshtest.ExtAddr(1)); err != nil {
			b.Fatal(err)
		}
	}
}
