package dissect_test

import (
	"testing"

	"github.com/gopymesh/pymesh/internal/captures"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// FuzzDissect gives the dissector bytes of every layer: those above the MAC in frames that are authentic, or they would go
// no further.
func FuzzDissect(f *testing.F) {
	const (
		layerPSDU = iota
		layerLowpan
		layerMLE
		layerTMF
		numLayers
	)
	records, err := captures.Frames("pycom-s1")
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range records[:60] {
		f.Add(uint8(layerPSDU), r.PSDU)
	}
	a := newAir(f)
	echo, err := ip6.AppendEcho(nil, ip6.Header{Src: rloc(0x5800), Dst: rloc(0x5801)}, ip6.ICMPv6EchoRequest, ip6.Echo{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(layerLowpan), a.compressed(short(0x5800), short(0x5801), echo))
	f.Add(uint8(layerMLE), mle.AppendRoute64(mle.AppendCommand(nil, mle.Advertisement), mle.Route64{Routers: 1 << 63}))
	for _, uri := range []string{tmf.URIAddressQuery, tmf.URIActiveGet, tmf.URIDiagnosticGetRequest} {
		options, err := coap.Options(nil).AppendURIPath(uri)
		if err != nil {
			f.Fatal(err)
		}
		m := coap.Message{Code: coap.POST, Options: options, Payload: tmf.AppendStatus(nil, tmf.StatusSuccess)}
		f.Add(uint8(layerTMF), a.check(m.AppendBinary(nil)))
	}
	f.Fuzz(func(t *testing.T, layer uint8, b []byte) {
		a := newAir(t)
		a.hear(a.advertise(1, 0x5800))
		const room = 60 // in a frame with the headers of all layers
		var psdu []byte
		switch layer % numLayers {
		case layerPSDU:
			psdu = b
		case layerLowpan:
			psdu = a.sealed(1, short(0x5800), short(0x5801), b[:min(len(b), room)])
		case layerMLE:
			psdu = a.mle(1, b[:min(len(b), room)])
		case layerTMF:
			psdu = a.unicast(1, 0x5800, 0x5801, tmf.UDPPort, tmf.UDPPort, b[:min(len(b), room)])
		}
		for range 2 {
			frame := a.hear(psdu)
			if frame.Summary() == "" || frame.Details() == nil && frame.Problem == nil {
				t.Error("nothing to be said")
			}
		}
	})
}
