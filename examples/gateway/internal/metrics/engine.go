package metrics

import "github.com/prometheus/client_golang/prometheus"

// series is where a counter of the node or of its radio goes. What is in no table is told by its own name.
type series struct {
	metric string
	labels []string
}

// help is what the metrics of the tables are.
var help = map[string]string{
	"mac_frames_total":       "Frames, by type: sent, tries again not counted, and received.",
	"mac_retries_total":      "Tries of frames after the first.",
	"mac_repeated_total":     "Frames of boards that nobody acknowledged, repeated for them.",
	"mac_piggybacked_total":  "Frames that were sent, or came, in place of an acknowledgement.",
	"mac_failures_total":     "Frames that were given up.",
	"forwarded_frames_total": "Frames of others that this node has passed on.",
	"datagrams_total":        "Datagrams that were received whole, sent, given up, and let through by a border router.",
	"dropped_total":          "Frames, datagrams and messages that were dropped: each is counted once.",
	"radio_errors_total":     "What has failed in the radio.",
	"radio_resets_total":     "How often the radio was reset and set up again.",
}

func dropped(layer, reason string) series {
	return series{"dropped_total", []string{"layer", layer, "reason", reason}}
}

func frames(direction, kind string) series {
	return series{"mac_frames_total", []string{"direction", direction, "type", kind}}
}

func piggybacked(direction string) series {
	return series{"mac_piggybacked_total", []string{"direction", direction}}
}

func datagrams(direction, result string) series {
	return series{"datagrams_total", []string{"direction", direction, "result", result}}
}

func failed(reason string) series {
	return series{"mac_failures_total", []string{"reason", reason}}
}

func radioError(op string) series { return series{"radio_errors_total", []string{"op", op}} }

// engine is where the counters of thread.Counters go.
var engine = map[string]series{
	"TxAcks": frames("tx", "ack"), "TxBeacons": frames("tx", "beacon"), "TxBeaconRequests": frames("tx", "beacon_request"), "TxPolls": frames("tx", "poll"),
	"RxAcks": frames("rx", "ack"), "RxBeacons": frames("rx", "beacon"), "RxCommands": frames("rx", "command"), "RxData": frames("rx", "data"),
	"TxRetries": {metric: "mac_retries_total"}, "TxRepeated": {metric: "mac_repeated_total"},
	"TxPiggybacked": piggybacked("tx"), "RxPiggybacked": piggybacked("rx"), "Forwarded": {metric: "forwarded_frames_total"},
	"TxNoAck": failed("no_ack"), "TxChannelBusy": failed("channel_busy"), "TxStuck": failed("stuck"), "TxStopped": failed("stopped"),

	"RxDatagrams": datagrams("rx", "complete"), "TxDatagrams": datagrams("tx", "sent"), "TxDatagramsFailed": datagrams("tx", "failed"),
	"TxDatagramsStopped": datagrams("tx", "stopped"), "ForwardedOut": datagrams("out", "forwarded"), "ForwardedIn": datagrams("in", "forwarded"),

	"RxMalformed": dropped("mac", "malformed"), "RxOtherDestination": dropped("mac", "other_destination"), "RxOwnSource": dropped("mac", "own_source"),
	"RxUnknownNeighbor": dropped("mac", "unknown_neighbor"), "RxFiltered": dropped("mac", "filtered"), "RxSecurity": dropped("mac", "security"),
	"RxDuplicate": dropped("mac", "duplicate"), "RxUnsupported": dropped("mac", "unsupported"),
	"LowpanMalformed": dropped("6lowpan", "malformed"), "LowpanUnaddressed": dropped("6lowpan", "unaddressed"), "ReassemblyDropped": dropped("6lowpan", "reassembly"),
	"ReassemblyTimeout": dropped("6lowpan", "reassembly_timeout"), "MeshHopsExceeded": dropped("6lowpan", "hops_exceeded"),
	"MeshNoRoute": dropped("6lowpan", "no_route"), "MeshUnsecured": dropped("6lowpan", "unsecured"), "MeshIncomplete": dropped("6lowpan", "incomplete"),
	"IPMalformed": dropped("ipv6", "malformed"), "IPNotForUs": dropped("ipv6", "not_for_us"), "IPHopLimit": dropped("ipv6", "hop_limit"),
	"IPNoRoute": dropped("ipv6", "no_route"), "IPBadChecksum": dropped("ipv6", "bad_checksum"), "IPUnsupported": dropped("ipv6", "unsupported"),
	"MPLDuplicate": dropped("ipv6", "mpl_duplicate"),
	"QueueFull":    dropped("queue", "full"), "AddressUnresolved": dropped("queue", "address_unresolved"), "HostQueueFull": dropped("queue", "host_full"),
	"HandlerQueueFull": dropped("queue", "handler_full"), "MLEReplaced": dropped("queue", "replaced"), "TxUnsecured": dropped("queue", "unsecured"),
	"MLEMalformed": dropped("mle", "malformed"), "MLESecurity": dropped("mle", "security"), "MLEReplay": dropped("mle", "replay"),
	"MLEUnknownNeighbor": dropped("mle", "unknown_neighbor"), "MLEUnexpected": dropped("mle", "unexpected"), "MLERefused": dropped("mle", "refused"),
	"MLEUnneeded":  dropped("mle", "unneeded"),
	"TMFMalformed": dropped("tmf", "malformed"), "TMFUnexpected": dropped("tmf", "unexpected"), "TMFRefused": dropped("tmf", "refused"),
}

// radio is where the counters of the chip's driver go.
var radio = map[string]series{
	"Repairs": {metric: "radio_resets_total"}, "SpiErrors": radioError("spi"), "TxTimeouts": radioError("transmit"), "Stuck": radioError("receive"),
	"CrcErrors": radioError("crc"), "NoCrc": radioError("no_crc"), "Missed": radioError("missed"), "Overrun": radioError("overrun"), "Busy": radioError("busy"),
}

// counted tells counters by a table, and those that it does not have in a metric of the rest.
func (e emitter) counted(counters map[string]uint64, table map[string]series, rest, restHelp string) {
	left := map[string]uint64{}
	for name, count := range counters {
		s, ok := table[name]
		if !ok {
			left[name] = count
			continue
		}
		e.emit(prometheus.CounterValue, s.metric, help[s.metric], float64(count), s.labels)
	}
	e.named(rest, restHelp, "counter", left)
}

// dataFrames is how many frames of the MAC were data: what was sent and is nothing else.
func dataFrames(c map[string]uint64) (n uint64, ok bool) {
	n, ok = c["TxFrames"]
	for _, other := range []string{"TxBeacons", "TxBeaconRequests", "TxPolls"} {
		n -= min(n, c[other])
	}
	return n, ok
}
