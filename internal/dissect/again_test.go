package dissect_test

import (
	"errors"
	"slices"

	"github.com/gopymesh/pymesh/internal/dissect"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// errNoCodec means that no package has a type for the value.
var errNoCodec = errors.New("no codec")

// again parses a TLV into the type that the codecs have for it and makes it again, with type and length.
func again(t *dissect.TLV) ([]byte, error) {
	switch t.Family {
	case dissect.FamilyMLE:
		return mleAgain(mle.TLVType(t.Type), t.Value)
	case dissect.FamilyNetworkLayer:
		return networkLayerAgain(tmf.TLVType(t.Type), t)
	case dissect.FamilyDiagnostic:
		return diagnosticAgain(tmf.DiagnosticType(t.Type), t.Value)
	case dissect.FamilyMeshCoP:
		return meshcopAgain(meshcop.Type(t.Type), t)
	default:
		return networkDataAgain(t.Raw)
	}
}

// remake parses a value and appends it again.
func remake[T any](value []byte, parse func([]byte) (T, error), appendTo func([]byte, T) []byte) ([]byte, error) {
	v, err := parse(value)
	if err != nil {
		return nil, err
	}
	return appendTo(nil, v), nil
}

func mleAgain(t mle.TLVType, value []byte) ([]byte, error) {
	switch t {
	case mle.TLVSourceAddress:
		return remake(value, mle.ParseSourceAddress, mle.AppendSourceAddress)
	case mle.TLVMode:
		return remake(value, mle.ParseMode, mle.AppendMode)
	case mle.TLVTimeout:
		return remake(value, mle.ParseTimeout, mle.AppendTimeout)
	case mle.TLVChallenge:
		return remake(value, mle.ParseChallenge, mle.AppendChallenge)
	case mle.TLVResponse:
		return remake(value, mle.ParseChallenge, mle.AppendResponse)
	case mle.TLVLinkLayerFrameCounter:
		return remake(value, mle.ParseFrameCounter, mle.AppendLinkLayerFrameCounter)
	case mle.TLVMLEFrameCounter:
		return remake(value, mle.ParseFrameCounter, mle.AppendMLEFrameCounter)
	case mle.TLVRoute64:
		return remake(value, mle.ParseRoute64, mle.AppendRoute64)
	case mle.TLVAddress16:
		return remake(value, mle.ParseAddress16, mle.AppendAddress16)
	case mle.TLVLeaderData:
		return remake(value, mle.ParseLeaderData, mle.AppendLeaderData)
	case mle.TLVTLVRequest:
		return remake(value, mle.ParseTLVRequest, func(b []byte, r mle.TLVRequest) []byte {
			return mle.AppendTLVRequest(b, slices.Collect(r.All())...)
		})
	case mle.TLVScanMask:
		return remake(value, mle.ParseScanMask, mle.AppendScanMask)
	case mle.TLVConnectivity:
		return remake(value, mle.ParseConnectivity, mle.AppendConnectivity)
	case mle.TLVLinkMargin:
		return remake(value, mle.ParseLinkMargin, mle.AppendLinkMargin)
	case mle.TLVStatus:
		return remake(value, mle.ParseStatus, mle.AppendStatus)
	case mle.TLVVersion:
		return remake(value, mle.ParseVersion, mle.AppendVersion)
	case mle.TLVAddressRegistration:
		return remake(value, mle.ParseAddressRegistration, func(b []byte, r mle.AddressRegistration) []byte {
			return mle.AppendAddressRegistration(b, slices.Collect(r.All())...)
		})
	case mle.TLVChannel:
		return remake(value, mle.ParseChannel, mle.AppendChannel)
	case mle.TLVPANID:
		return remake(value, mle.ParsePANID, mle.AppendPANID)
	case mle.TLVActiveTimestamp, mle.TLVPendingTimestamp:
		s, err := meshcop.ParseTimestamp(value)
		if err != nil {
			return nil, err
		}
		value, err = s.AppendBinary(nil)
		return mle.AppendTLV(nil, t, value), err
	case mle.TLVNetworkData:
		value, err := networkDataAgain(value)
		return mle.AppendTLV(nil, t, value), err
	case mle.TLVActiveOperationalDataset, mle.TLVPendingOperationalDataset:
		// The order of TLVs is free: each of them is made again on its own. Here they must all fit a dataset.
		s, err := meshcop.ParseDataset(value)
		if err == nil && s.Unknown != nil {
			err = errors.New("TLVs that are no part of a dataset")
		}
		return mle.AppendTLV(nil, t, value), err
	default:
		return nil, errNoCodec
	}
}

func networkLayerAgain(t tmf.TLVType, element *dissect.TLV) ([]byte, error) {
	p := tmf.Payload(element.Raw)
	switch t {
	case tmf.TLVTargetEID:
		return fetch(p.TargetEID, tmf.AppendTargetEID)
	case tmf.TLVExtendedMACAddress:
		return fetch(p.ExtendedMACAddress, tmf.AppendExtendedMACAddress)
	case tmf.TLVRLOC16:
		return fetch(p.RLOC16, tmf.AppendRLOC16)
	case tmf.TLVMLEID:
		return fetch(p.MLEID, tmf.AppendMLEID)
	case tmf.TLVStatus:
		return fetch(p.Status, tmf.AppendStatus)
	case tmf.TLVTimeSinceLastTransaction:
		return fetch(p.TimeSinceLastTransaction, tmf.AppendTimeSinceLastTransaction)
	case tmf.TLVRouterMask:
		return fetch(p.RouterMask, tmf.AppendRouterMask)
	case tmf.TLVThreadNetworkData:
		data, err := networkDataAgain(element.Value)
		return tmf.AppendThreadNetworkData(nil, data), err
	default:
		return nil, errNoCodec
	}
}

// fetch gets a value and appends it again.
func fetch[T any](get func() (T, error), appendTo func([]byte, T) []byte) ([]byte, error) {
	v, err := get()
	if err != nil {
		return nil, err
	}
	return appendTo(nil, v), nil
}

// diagnosticAgain uses the codecs of MLE, whose TLVs of the same name have the same values.
func diagnosticAgain(t tmf.DiagnosticType, value []byte) ([]byte, error) {
	same := map[tmf.DiagnosticType]mle.TLVType{
		tmf.DiagnosticAddress16:    mle.TLVAddress16,
		tmf.DiagnosticMode:         mle.TLVMode,
		tmf.DiagnosticTimeout:      mle.TLVTimeout,
		tmf.DiagnosticConnectivity: mle.TLVConnectivity,
		tmf.DiagnosticRoute64:      mle.TLVRoute64,
		tmf.DiagnosticLeaderData:   mle.TLVLeaderData,
		tmf.DiagnosticNetworkData:  mle.TLVNetworkData,
	}
	as, ok := same[t]
	if !ok {
		return nil, errNoCodec
	}
	element, err := mleAgain(as, value)
	if err != nil {
		return nil, err
	}
	_, value, _, err = tlv.Next[mle.TLVType](element)
	return tlv.Append(nil, t, value), err
}

// meshcopAgain makes a dataset of a single TLV again.
func meshcopAgain(t meshcop.Type, element *dissect.TLV) ([]byte, error) {
	switch t {
	case meshcop.TypeCommissionerSessionID:
		return remake(element.Value, meshcop.ParseCommissionerSessionID, meshcop.AppendCommissionerSessionID)
	case meshcop.TypeBorderAgentLocator:
		return remake(element.Value, meshcop.ParseLocator, meshcop.AppendBorderAgentLocator)
	case meshcop.TypeDiscoveryRequest:
		return remake(element.Value, meshcop.ParseDiscoveryRequest, meshcop.AppendDiscoveryRequest)
	case meshcop.TypeDiscoveryResponse:
		return remake(element.Value, meshcop.ParseDiscoveryResponse, meshcop.AppendDiscoveryResponse)
	}
	s, err := meshcop.ParseDataset(element.Raw)
	switch {
	case err != nil:
		return nil, err
	case s.Unknown != nil:
		return nil, errNoCodec
	default:
		return s.AppendBinary(nil)
	}
}

type appender interface {
	AppendBinary(b []byte) ([]byte, error)
}

// networkDataAgain makes network data, or the TLVs inside of a Prefix or Service TLV, again down to the entries.
func networkDataAgain(b []byte) ([]byte, error) {
	if err := netdata.Validate(b); err != nil {
		return nil, err
	}
	var out []byte
	for t := range netdata.All(b) {
		parts, err := networkDataParts(t)
		if err != nil {
			return nil, err
		}
		t.Value = nil
		for _, part := range parts {
			if t.Value, err = part.AppendBinary(t.Value); err != nil {
				return nil, err
			}
		}
		if out, err = t.AppendBinary(out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// networkDataParts parses the value of a TLV.
func networkDataParts(t netdata.TLV) ([]appender, error) {
	var parts []appender
	switch t.Type {
	case netdata.TypePrefix:
		p, err := netdata.ParsePrefix(t.Value)
		if err != nil {
			return nil, err
		}
		p.SubTLVs, err = networkDataAgain(p.SubTLVs)
		return []appender{p}, err
	case netdata.TypeService:
		s, err := netdata.ParseService(t.Value)
		if err != nil {
			return nil, err
		}
		s.SubTLVs, err = networkDataAgain(s.SubTLVs)
		return []appender{s}, err
	case netdata.TypeServer:
		s, err := netdata.ParseServer(t.Value)
		return []appender{s}, err
	case netdata.TypeContext:
		c, err := netdata.ParseContextTLV(t.Value)
		return []appender{c}, err
	case netdata.TypeHasRoute:
		h, err := netdata.ParseHasRoute(t.Value)
		for r := range h.All() {
			parts = append(parts, r)
		}
		return parts, err
	case netdata.TypeBorderRouter:
		routers, err := netdata.ParseBorderRouters(t.Value)
		for r := range routers.All() {
			parts = append(parts, r)
		}
		return parts, err
	case netdata.TypeCommissioningData:
		return []appender{raw(t.Value)}, nil // its TLVs are MeshCoP's: each is made again on its own
	default:
		return nil, errNoCodec
	}
}

// raw is a value that stays as it is.
type raw []byte

func (r raw) AppendBinary(b []byte) ([]byte, error) { return append(b, r...), nil }
