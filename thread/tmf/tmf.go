// Package tmf holds the vocabulary of Thread Management Framework messages: the URIs of its CoAP resources, the
// network-layer TLVs of the address and network data messages (Thread 1.1 §5.4.2, §5.15.6), and the types of the
// diagnostic TLVs.
//
// A TMF message is a CoAP message to UDP port 61631 whose payload is a sequence of TLVs in the form that package tlv
// describes. Messages under c/ carry the TLVs of package meshcop.
//
//	Address Solicit   a/as  CON POST  Extended MAC Address, RLOC16 (the router's former one), Status
//	  response              2.04      Status, RLOC16, Router Mask (Status alone if refused)
//	Address Release   a/ar  CON POST  RLOC16, Extended MAC Address
//	Server Data       a/sd  CON POST  Thread Network Data, RLOC16 (a former one, to forget)
//	Address Query     a/aq  NON POST  Target EID; to ff03::2
//	Address Notify    a/an  CON POST  Target EID, ML-EID, RLOC16, Time Since Last Transaction (of a child)
//	Address Error     a/ae      POST  Target EID, ML-EID; CON to a node, NON to ff03::2
//
// All other confirmable requests are answered with an empty 2.04.
package tmf

// UDPPort is the UDP port of TMF: the last one of those that 6LoWPAN compresses to 4 bits (RFC 6282 §4.3.1).
const UDPPort = 61631

// The URI paths of TMF resources. Where Thread names two methods for a path, a GET asks and a POST sets.
const (
	// Network layer: address query (Thread 1.1 §5.4.2), router IDs, server data (§5.15.6).
	URIAddressQuery   = "a/aq"
	URIAddressNotify  = "a/an"
	URIAddressError   = "a/ae"
	URIAddressSolicit = "a/as"
	URIAddressRelease = "a/ar"
	URIServerData     = "a/sd"

	// Mesh commissioning (Thread 1.1 chapter 8).
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

	// Network diagnostics (Thread 1.1 §10.11).
	URIDiagnosticGetRequest = "d/dg"
	URIDiagnosticGetQuery   = "d/dq"
	URIDiagnosticGetAnswer  = "d/da"
	URIDiagnosticReset      = "d/dr"
)
