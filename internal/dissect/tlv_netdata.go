package dissect

import (
	"fmt"
	"strings"

	"github.com/gopymesh/pymesh/thread/netdata"
)

// networkDataTLVs reads network data, or the TLVs inside of a Prefix or Service TLV.
func networkDataTLVs(b []byte) []TLV {
	var tlvs []TLV
	for len(b) > 0 {
		n, rest, err := netdata.Next(b)
		if err != nil {
			return append(tlvs, cutOff(b, FamilyNetworkData, err))
		}
		t := TLV{
			Family: FamilyNetworkData, Type: uint8(n.Type), Stable: n.Stable, Name: n.Type.String(), Known: n.Type.Known(),
			Raw: b[:len(b)-len(rest)], Value: n.Value,
		}
		t.decode(networkDataDecoder(n.Type))
		tlvs = append(tlvs, t)
		b = rest
	}
	return tlvs
}

func networkDataDecoder(typ netdata.Type) decoder {
	switch typ {
	case netdata.TypeHasRoute:
		return textf(netdata.ParseHasRoute, hasRouteText)
	case netdata.TypePrefix:
		return prefixText
	case netdata.TypeBorderRouter:
		return textf(netdata.ParseBorderRouters, borderRoutersText)
	case netdata.TypeContext:
		return textf(netdata.ParseContextTLV, contextText)
	case netdata.TypeCommissioningData:
		return sub(meshcopTLVs)
	case netdata.TypeService:
		return serviceText
	case netdata.TypeServer:
		return textf(netdata.ParseServer, serverText)
	default:
		return nil
	}
}

func prefixText(t *TLV) (string, error) {
	p, err := netdata.ParsePrefix(t.Value)
	if err != nil {
		return "", err
	}
	t.Sub = networkDataTLVs(p.SubTLVs)
	if p.DomainID != 0 {
		return fmt.Sprintf("%v, domain %d", p.Prefix, p.DomainID), nil
	}
	return p.Prefix.String(), nil
}

func serviceText(t *TLV) (string, error) {
	s, err := netdata.ParseService(t.Value)
	if err != nil {
		return "", err
	}
	t.Sub = networkDataTLVs(s.SubTLVs)
	return fmt.Sprintf("%d, enterprise %d, data %s", s.ID, s.Enterprise, dataText(s.Data)), nil
}

func serverText(s netdata.Server) string {
	return fmt.Sprintf("%v, data %s", s.RLOC16, dataText(s.Data))
}

func hasRouteText(h netdata.HasRoute) string {
	var routes []string
	for r := range h.All() {
		routes = append(routes, fmt.Sprintf("%v, preference %v", r.RLOC16, r.Preference))
	}
	return strings.Join(routes, "; ")
}

func borderRoutersText(routers netdata.BorderRouters) string {
	var entries []string
	for r := range routers.All() {
		entries = append(entries, fmt.Sprintf("%v, preference %v%s", r.RLOC16, r.Preference, borderRouterFlags(r.Flags)))
	}
	return strings.Join(entries, "; ")
}

func borderRouterFlags(flags netdata.BorderRouterFlags) string {
	var s string
	for _, f := range [...]struct {
		flag netdata.BorderRouterFlags
		name string
	}{
		{netdata.FlagPreferred, "preferred"}, {netdata.FlagSLAAC, "SLAAC"}, {netdata.FlagDHCP, "DHCP"},
		{netdata.FlagConfigure, "configure"}, {netdata.FlagDefaultRoute, "default route"},
		{netdata.FlagOnMesh, "on-mesh"}, {netdata.FlagNDDNS, "DNS"},
	} {
		if flags.Has(f.flag) {
			s += ", " + f.name
		}
	}
	return s
}

func contextText(c netdata.ContextTLV) string {
	s := fmt.Sprintf("%d, %d bits", c.ID, c.Length)
	if !c.Compress {
		s += ", not for compression"
	}
	return s
}
