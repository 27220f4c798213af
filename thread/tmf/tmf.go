// Package tmf holds the vocabulary of Thread Management Framework messages: the URIs of its CoAP resources, the
// network-layer TLVs of the address and network data messages (Thread 1.1 §5.22, §10.11), and the types of the
// diagnostic TLVs.
//
// A TMF message is a CoAP message to UDP port 61631 whose payload is a sequence of TLVs in the form that package tlv
// describes. Messages under c/ carry the TLVs of package meshcop.
//
//	Address Solicit   a/as  CON POST  ML-EID ext. address, RLOC16 (if it had one), Status
//	  response              2.04      Status, RLOC16, Router Mask
//	Address Release   a/ar  CON POST  RLOC16, Extended MAC Address
//	Server Data       a/sd  CON POST  Thread Network Data, RLOC16
//	Address Query     a/aq  NON POST  Target EID, to ff03::2
//	Address Notify    a/an  CON POST  Target EID, RLOC16, ML-EID, Time Since Last Transaction
//	Address Error     a/ae  POST      Target EID, ML-EID
package tmf

// UDPPort is the UDP port of TMF (Thread 1.1 §5.21).
const UDPPort = 61631

// The URI paths of TMF resources (Thread 1.1 §5.21, §8.10, §10.11). Where Thread names two methods for a path, a GET
// asks and a POST sets.
const (
	// Network layer.
	URIAddressQuery   = "a/aq"
	URIAddressNotify  = "a/an"
	URIAddressError   = "a/ae"
	URIAddressSolicit = "a/as"
	URIAddressRelease = "a/ar"
	URIServerData     = "a/sd"

	// Mesh commissioning.
	URIActiveGet             = "c/ag"
	URIActiveSet             = "c/as"
	URIAnnounceBegin         = "c/ab"
	URICommissionerKeepAlive = "c/ca"
	URICommissionerGet       = "c/cg"
	URICommissionerPetition  = "c/cp"
	URICommissionerSet       = "c/cs"
	URIDatasetChanged        = "c/dc"
	URIEnergyReport          = "c/er"
	URIEnergyScan            = "c/es"
	URIJoinerEntrust         = "c/je"
	URIJoinerFinalize        = "c/jf"
	URILeaderKeepAlive       = "c/la"
	URILeaderPetition        = "c/lp"
	URIPANIDConflict         = "c/pc"
	URIPendingGet            = "c/pg"
	URIPANIDQuery            = "c/pq"
	URIPendingSet            = "c/ps"
	URIRelayReceive          = "c/rx"
	URIRelayTransmit         = "c/tx"
	URIUDPProxyReceive       = "c/ur"
	URIUDPProxyTransmit      = "c/ut"

	// Network diagnostics.
	URIDiagnosticGetRequest = "d/dg"
	URIDiagnosticGetQuery   = "d/dq"
	URIDiagnosticGetAnswer  = "d/da"
	URIDiagnosticReset      = "d/dr"
)
