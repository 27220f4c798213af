package dissect

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// networkLayerTLVs reads a message under a/.
func networkLayerTLVs(b []byte) []TLV {
	return readTLVs(b, FamilyNetworkLayer, func(t *TLV) decoder {
		typ := tmf.TLVType(t.Type)
		t.Name, t.Known = typ.String(), typ.Known()
		return networkLayerDecoders[typ]
	})
}

var networkLayerDecoders = map[tmf.TLVType]decoder{
	tmf.TLVTargetEID:                element(tmf.Payload.TargetEID, netip.Addr.String),
	tmf.TLVExtendedMACAddress:       element(tmf.Payload.ExtendedMACAddress, ieee802154.ExtAddr.String),
	tmf.TLVRLOC16:                   element(tmf.Payload.RLOC16, mle.RLOC16.String),
	tmf.TLVMLEID:                    element(tmf.Payload.MLEID, iidText),
	tmf.TLVStatus:                   element(tmf.Payload.Status, tmf.Status.String),
	tmf.TLVTimeSinceLastTransaction: element(tmf.Payload.TimeSinceLastTransaction, seconds),
	tmf.TLVRouterMask:               element(tmf.Payload.RouterMask, routerMaskText),
	tmf.TLVThreadNetworkData:        sub(networkDataTLVs),
}

// element makes a decoder of a getter: it is asked for the TLV in a payload that holds nothing else.
func element[T any](get func(tmf.Payload) (T, error), format func(T) string) decoder {
	return func(t *TLV) (string, error) {
		v, err := get(tmf.Payload(t.Raw))
		if err != nil {
			return "", err
		}
		return format(v), nil
	}
}

func iidText(iid [8]byte) string { return ip6.InterfaceID(iid).String() }

func routerMaskText(m tmf.RouterMask) string {
	return fmt.Sprintf("sequence %d, routers%s", m.IDSequence, routerList(m.Routers))
}

// routerList prints IDs, each after a space.
func routerList(s mle.RouterIDSet) string {
	var b strings.Builder
	for id := range s.All() {
		fmt.Fprintf(&b, " %d", id)
	}
	return b.String()
}
