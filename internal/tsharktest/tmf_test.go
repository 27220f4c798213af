package tsharktest_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// TestTMF sends the messages of the network layer.
func TestTMF(t *testing.T) {
	target := netip.MustParseAddr("fdde:ad00:beef:0:1:2:3:4")
	mleid := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	var routers mle.RouterIDSet
	routers = routers.Add(0).Add(22)

	tests := []struct {
		uri     string
		typ     coap.Type
		code    coap.Code
		payload []byte
		want    fields
	}{
		{
			tmf.URIAddressQuery, coap.NonConfirmable, coap.POST, tmf.AppendTargetEID(nil, target),
			fields{"coap.type": "1", "coap.code": "2", "coap.token": "",
				"thread_address.tlv.target_eid": target.String()},
		},
		{
			tmf.URIAddressNotify, coap.Confirmable, coap.POST,
			tmf.AppendTimeSinceLastTransaction(tmf.AppendMLEID(tmf.AppendRLOC16(tmf.AppendTargetEID(nil, target), theirRLOC16), mleid), time.Minute),
			fields{"coap.type": "0", "thread_address.tlv.target_eid": target.String(), "thread_address.tlv.rloc16": "0x5803",
				"thread_address.tlv.ml_eid": "01:02:03:04:05:06:07:08", "thread_address.tlv.last_transaction_time": "60"},
		},
		{
			tmf.URIAddressSolicit, coap.Confirmable, coap.POST,
			tmf.AppendStatus(tmf.AppendRLOC16(tmf.AppendExtendedMACAddress(nil, ourExt), ourRLOC16), tmf.ReasonTooFewRouters),
			fields{"thread_address.tlv.ext_mac_addr": "70:b3:d5:49:90:00:00:01", "thread_address.tlv.rloc16": "0x5800", "thread_address.tlv.status": "2"},
		},
		{
			tmf.URIAddressRelease, coap.Confirmable, coap.POST,
			tmf.AppendExtendedMACAddress(tmf.AppendRLOC16(nil, ourRLOC16), ourExt),
			fields{"thread_address.tlv.ext_mac_addr": "70:b3:d5:49:90:00:00:01", "thread_address.tlv.rloc16": "0x5800"},
		},
		{
			tmf.URIAddressSolicit, coap.Acknowledgement, coap.Changed,
			tmf.AppendRouterMask(tmf.AppendRLOC16(tmf.AppendStatus(nil, tmf.StatusSuccess), theirRLOC16), tmf.RouterMask{IDSequence: 9, Routers: routers}),
			fields{"coap.type": "2", "coap.code": "68", "thread_address.tlv.status": "0", "thread_address.tlv.rloc16": "0x5803",
				"thread_address.tlv.router_mask_id_seq": "9", "thread_address.tlv.router_mask_assigned": "80:00:02:00:00:00:00:00"},
		},
		{
			tmf.URIServerData, coap.Confirmable, coap.POST,
			tmf.AppendRLOC16(tmf.AppendThreadNetworkData(nil, networkData()), ourRLOC16),
			fields{"coap.code": "2", "thread_nwd.tlv.prefix": "2001:dead:beef:cafe::", "thread_address.tlv.rloc16": "0x5800"},
		},
	}
	s := newSender(t, 0)
	var lasts []int // frames that end a message
	for i, tt := range tests {
		m := coap.Message{Type: tt.typ, Code: tt.code, MessageID: uint16(0x1000 + i), Payload: tt.payload}
		if tt.typ != coap.Acknowledgement {
			var err error
			if m.Options, err = m.Options.AppendURIPath(tt.uri); err != nil {
				t.Fatal(err)
			}
		}
		if tt.typ != coap.NonConfirmable {
			m.Token, _ = coap.NewToken([]byte{0xab, 0xcd})
		}
		hdr := ip6.Header{HopLimit: 64, Src: ourRLOC16.Addr(meshLocal), Dst: theirRLOC16.Addr(meshLocal)}
		s.datagram(udp(t, hdr, tmf.UDPPort, tmf.UDPPort, must(m.AppendBinary(nil))), ourAddr, theirAddr, ieee802154.SecurityENCMIC32)
		lasts = append(lasts, len(s.psdus)-1)
	}
	frames := s.verify()
	for i, tt := range tests {
		t.Run(tt.typ.String()+" "+tt.uri, func(t *testing.T) {
			f := frames[lasts[i]]
			fields{"coap.mid": fmt.Sprint(0x1000 + i)}.check(t, f)
			if tt.typ != coap.Acknowledgement {
				fields{"coap.opt.uri_path_recon": "/" + tt.uri}.check(t, f)
			}
			if tt.typ != coap.NonConfirmable {
				fields{"coap.token": "ab:cd"}.check(t, f)
			}
			tt.want.check(t, f)
		})
	}
}
