package tmf_test

import (
	"fmt"
	"testing"

	"github.com/gopymesh/pymesh/internal/captures"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

func TestDump(t *testing.T) {
	for _, name := range captures.Names() {
		fmt.Println("=====", name)
		for _, d := range datagrams(t, name) {
			pre := fmt.Sprintf("%9.3f %v>%v hl%d sec=%v %v", d.time.Seconds(), d.ip.Src, d.ip.Dst, d.ip.HopLimit, d.secured, d.ip.HasMPL)
			switch d.udp.DstPort {
			case mle.UDPPort:
				h, err := mle.ParseHeader(d.payload)
				if err != nil {
					fmt.Println(pre, "MLE", err)
					continue
				}
				body := d.payload[h.Size():]
				if h.Suite == mle.SuiteIEEE802154 {
					iid := ip6.InterfaceIDOf(d.ip.Src)
					ext := ieee802154.ExtAddr(iid)
					ext[0] ^= 2
					ccm := ieee802154.NewCCM(keys.Derive(captures.NetworkKey, h.KeySequence).MLE)
					body, err = h.Open(nil, d.payload, d.ip.Src, d.ip.Dst, ext, ccm)
					if err != nil {
						fmt.Println(pre, "MLE open", err)
						continue
					}
				}
				m, err := mle.ParseMessage(body)
				fmt.Print(pre, " seq=", h.KeySequence, " cnt=", h.FrameCounter, " ", m.Command, err)
				for ty, v := range m.All() {
					fmt.Printf(" | %v[%d]", ty, len(v))
					if ty == mle.TLVActiveOperationalDataset || ty == mle.TLVPendingOperationalDataset || ty == mle.TLVThreadDiscovery {
						for ty, v := range meshcop.All(v) {
							fmt.Printf(" {%v %x}", ty, v)
						}
					} else {
						fmt.Printf(" %x", v)
					}
				}
				fmt.Println()
			default:
				m, err := coap.ParseMessage(d.payload)
				if err != nil || d.udp.DstPort != 61631 && d.udp.SrcPort != 61631 {
					fmt.Println(pre, d.udp.SrcPort, d.udp.DstPort, err, fmt.Sprintf("%.40x", d.payload))
					continue
				}
				fmt.Print(pre, " ", d.udp.SrcPort, ">", d.udp.DstPort, " ", m.Type, " ", m.Code, " mid", m.MessageID, " tok", m.Token, " /", m.Options.URIPath(), fmt.Sprintf(" opts %x", []byte(m.Options)))
				for ty, v := range tlv.All[tmf.TLVType](m.Payload) {
					fmt.Printf(" | %v[%d] %x", ty, len(v), v)
				}
				fmt.Printf(" pl=%x\n",m.Payload)
			}
		}
	}
}
