package thread_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// TMF over CoAP, RFC 7252. Held elsewhere:
//
//   - what is rejected before it is looked at: TestRFC7252_Rejection of package coap

// TestRFC7252_5_2_ConfirmableRequests: each confirmable request has an answer, whatever it is; others have none that were not answered
// if they were right.
func TestRFC7252_5_2_ConfirmableRequests(t *testing.T) {
	target := tmf.AppendTargetEID(nil, rlocAddr(0x1234))
	for _, tt := range []struct {
		name    string
		method  coap.Code
		uri     string
		payload []byte
		want    string // to a confirmable one
	}{
		{"no such resource (§5.9.2.5)", coap.POST, "x/y", nil, "4.04"},
		{"another method (§5.9.2.6)", coap.GET, tmf.URIAddressSolicit, nil, "4.05"},
		{"no TLVs (§5.9.2.1)", coap.POST, tmf.URIAddressSolicit, []byte{1}, "4.00"},
		{"TLV too long", coap.POST, tmf.URIAddressSolicit, []byte{1, 200, 0}, "4.00"},
		{"TLVs missing", coap.POST, tmf.URIAddressSolicit, nil, "4.00"},
		{"unknown reason", coap.POST, tmf.URIAddressSolicit, tmf.AppendStatus(tmf.AppendExtendedMACAddress(nil, [8]byte{1}), 77), "4.00"},
		{"release, TLVs missing", coap.POST, tmf.URIAddressRelease, nil, "4.00"},
		{"notification, TLVs missing", coap.POST, tmf.URIAddressNotify, target, "4.00"},
		{"error, TLVs missing", coap.POST, tmf.URIAddressError, target, "4.00"},
		{"query that is confirmable", coap.POST, tmf.URIAddressQuery, target, "4.00"},
		{"release of nothing", coap.POST, tmf.URIAddressRelease, tmf.AppendExtendedMACAddress(tmf.AppendRLOC16(nil, 0), [8]byte{1}), "2.04"},
	} {
		for _, typ := range []coap.Type{coap.Confirmable, coap.NonConfirmable} {
			t.Run(fmt.Sprint(tt.name, ", ", typ), func(t *testing.T) {
				m, n, p := leading(t, nil)
				p.Attach(n, thread.ModeFullThreadDevice, time.Minute)
				c := coap.Message{Type: typ, Code: tt.method, MessageID: 7, Payload: tt.payload, Options: must(coap.Options(nil).AppendURIPath(tt.uri))}
				h := ip6.Header{HopLimit: 64, Src: rlocAddr(p.RLOC16), Dst: rlocAddr(mle.ALOCLeader)}
				p.SendDatagram(shortAddress(n.RLOC16()), must(ip6.AppendUDP(nil, h, tmf.UDPPort, tmf.UDPPort, must(c.AppendBinary(nil)))))
				m.Run(time.Second)
				var got string
				for _, r := range responses(m, p) {
					got += r.Code.String()
					if r.Type != coap.Acknowledgement || r.MessageID != 7 {
						t.Errorf("answer %+v", r)
					}
				}
				want := tt.want
				if typ == coap.NonConfirmable {
					want = ""
				}
				if got != want {
					t.Errorf("answer %q, want %q", got, want)
				}
			})
		}
	}
}
