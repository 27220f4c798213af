package dissect

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
)

// meshcopTLVs reads a dataset, a discovery message, commissioning data, or a message under c/. Keys are not shown.
func meshcopTLVs(b []byte) []TLV {
	return readTLVs(b, FamilyMeshCoP, func(t *TLV) decoder {
		typ := meshcop.Type(t.Type)
		t.Name, t.Known = typ.String(), typ.Known()
		if !typ.ValidLength(len(t.Value)) {
			return func(*TLV) (string, error) { return "", meshcop.ErrTLVLength }
		}
		return meshcopDecoders[typ]
	})
}

// meshcopDecoders decode values whose lengths their types allow. Types that are missing stay in hexadecimal.
var meshcopDecoders = map[meshcop.Type]decoder{
	meshcop.TypeChannel:               textf(mle.ParseChannel, channelText),
	meshcop.TypePANID:                 text(mle.ParsePANID),
	meshcop.TypeNetworkName:           quoted,
	meshcop.TypePSKc:                  hidden,
	meshcop.TypeNetworkMasterKey:      hidden,
	meshcop.TypeMeshLocalPrefix:       meshLocalPrefixText,
	meshcop.TypeBorderAgentLocator:    text(meshcop.ParseLocator),
	meshcop.TypeCommissionerID:        quoted,
	meshcop.TypeCommissionerSessionID: text(meshcop.ParseCommissionerSessionID),
	meshcop.TypeSecurityPolicy:        textf(meshcop.ParseSecurityPolicy, securityPolicyText),
	meshcop.TypeGet:                   getText,
	meshcop.TypeActiveTimestamp:       text(meshcop.ParseTimestamp),
	meshcop.TypeState:                 textf(meshcop.ParseState, stateText),
	meshcop.TypeJoinerUDPPort:         text(meshcop.ParseJoinerUDPPort),
	meshcop.TypeJoinerRouterLocator:   text(meshcop.ParseLocator),
	meshcop.TypeJoinerRouterKEK:       hidden,
	meshcop.TypeProvisioningURL:       quoted,
	meshcop.TypeVendorName:            quoted,
	meshcop.TypeVendorModel:           quoted,
	meshcop.TypeVendorSoftwareVersion: quoted,
	meshcop.TypePendingTimestamp:      text(meshcop.ParseTimestamp),
	meshcop.TypeDelayTimer:            delayText,
	meshcop.TypeChannelMask:           textf(meshcop.ParseChannelMask, channelMaskText),
	meshcop.TypeDiscoveryRequest:      textf(meshcop.ParseDiscoveryRequest, discoveryRequestText),
	meshcop.TypeDiscoveryResponse:     textf(meshcop.ParseDiscoveryResponse, discoveryResponseText),
}

func quoted(t *TLV) (string, error) { return fmt.Sprintf("%q", t.Value), nil }

func hidden(*TLV) (string, error) { return "not shown", nil }

func meshLocalPrefixText(t *TLV) (string, error) {
	var addr [16]byte
	n := copy(addr[:], t.Value)
	return netip.PrefixFrom(netip.AddrFrom16(addr), 8*n).String(), nil
}

func securityPolicyText(p meshcop.SecurityPolicy) string {
	var flags strings.Builder
	for _, f := range [...]struct {
		flag   meshcop.SecurityFlags
		letter byte
	}{
		{meshcop.SecurityObtainMasterKey, 'o'}, {meshcop.SecurityNativeCommissioning, 'n'},
		{meshcop.SecurityRouters, 'r'}, {meshcop.SecurityExternalCommissioner, 'c'}, {meshcop.SecurityBeacons, 'b'},
	} {
		if p.Flags&f.flag != 0 {
			flags.WriteByte(f.letter)
		}
	}
	return fmt.Sprintf("keys change after %d h, flags %s", p.RotationTime/time.Hour, &flags)
}

func getText(t *TLV) (string, error) {
	var names []string
	for _, typ := range t.Value {
		names = append(names, meshcop.Type(typ).String())
	}
	return strings.Join(names, ", "), nil
}

func stateText(s meshcop.State) string {
	switch s {
	case meshcop.StateAccept:
		return "accept"
	case meshcop.StatePending:
		return "pending"
	case meshcop.StateReject:
		return "reject"
	default:
		return fmt.Sprint(int8(s))
	}
}

func delayText(t *TLV) (string, error) {
	return (time.Duration(binary.BigEndian.Uint32(t.Value)) * time.Millisecond).String(), nil
}

func channelMaskText(m meshcop.ChannelMask) string {
	var ranges []string
	for c := range m.Channels() {
		if c > 0 && m.Contains(c-1) {
			continue // inside a range
		}
		last := c
		for m.Contains(last + 1) {
			last++
		}
		if last == c {
			ranges = append(ranges, fmt.Sprint(c))
		} else {
			ranges = append(ranges, fmt.Sprintf("%d-%d", c, last))
		}
	}
	return strings.Join(ranges, ", ")
}

func discoveryRequestText(r meshcop.DiscoveryRequest) string {
	if r.Joiner {
		return fmt.Sprintf("version %d, joiner", r.Version)
	}
	return fmt.Sprintf("version %d", r.Version)
}

func discoveryResponseText(r meshcop.DiscoveryResponse) string {
	if r.NativeCommissioner {
		return fmt.Sprintf("version %d, native commissioner", r.Version)
	}
	return fmt.Sprintf("version %d", r.Version)
}
