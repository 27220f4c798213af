package tsharktest_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// mlePort is the UDP port of MLE.
const mlePort = 19788

// mle seals an MLE message and sends it as MLE is sent, without MAC security.
func (s *sender) mle(dst netip.Addr, macDst ieee802154.Addr, plaintext []byte) {
	s.t.Helper()
	message := mle.AppendSealed(nil, ourLinkLocal, dst, ourExt, s.sequence, s.counter, ieee802154.NewCCM(s.keys.MLE), plaintext)
	s.counter++
	hdr := ip6.Header{HopLimit: 255, Src: ourLinkLocal, Dst: dst}
	s.datagram(udp(s.t, hdr, mlePort, mlePort, message), ieee802154.ExtAddress(ourExt), macDst, ieee802154.SecurityNone)
}

// must returns what an encoder appended that cannot fail here.
func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// networkData is a partition's: a prefix with all three sub-TLVs, an external route and
// a service.
func networkData() []byte {
	var sub []byte
	sub = must(netdata.TLV{Type: netdata.TypeHasRoute, Stable: true, Value: must(netdata.Route{
		RLOC16: 0x5800, Preference: netdata.PreferenceHigh}.AppendBinary(nil))}.AppendBinary(sub))
	sub = must(netdata.TLV{Type: netdata.TypeBorderRouter, Stable: true, Value: must(netdata.BorderRouter{
		RLOC16: 0x5800, Preference: netdata.PreferenceLow,
		Flags: netdata.FlagPreferred | netdata.FlagSLAAC | netdata.FlagDefaultRoute | netdata.FlagOnMesh,
	}.AppendBinary(nil))}.AppendBinary(sub))
	sub = must(netdata.TLV{Type: netdata.TypeContext, Stable: true, Value: must(netdata.ContextTLV{
		ID: 1, Compress: true, Length: 64}.AppendBinary(nil))}.AppendBinary(sub))
	b := must(netdata.TLV{Type: netdata.TypePrefix, Stable: true, Value: must(netdata.Prefix{
		Prefix: onMesh, SubTLVs: sub}.AppendBinary(nil))}.AppendBinary(nil))

	server := must(netdata.TLV{Type: netdata.TypeServer, Value: must(netdata.Server{
		RLOC16: 0x5803, Data: []byte{0xab}}.AppendBinary(nil))}.AppendBinary(nil))
	return must(netdata.TLV{Type: netdata.TypeService, Value: must(netdata.Service{
		ID: 3, Enterprise: netdata.ThreadEnterprise, Data: []byte{0x5c}, SubTLVs: server}.AppendBinary(nil))}.AppendBinary(b))
}

func activeDataset() []byte {
	return must(meshcop.Dataset{
		Present: meshcop.HasChannel | meshcop.HasChannelMask | meshcop.HasExtendedPANID | meshcop.HasMeshLocalPrefix |
			meshcop.HasNetworkName | meshcop.HasPANID | meshcop.HasSecurityPolicy,
		Channel:         mle.Channel{Number: 11},
		ChannelMask:     0x07fff800,
		ExtendedPANID:   meshcop.ExtendedPANID{0xde, 0xad, 0x00, 0xbe, 0xef, 0x00, 0xca, 0xfe},
		MeshLocalPrefix: meshLocal, NetworkName: "OpenThread", PANID: pan,
		SecurityPolicy: meshcop.SecurityPolicy{RotationTime: 672 * time.Hour,
			Flags: meshcop.SecurityObtainMasterKey | meshcop.SecurityRouters | meshcop.SecurityBeacons},
	}.AppendBinary(nil))
}

// TestMLE sends messages with every TLV that this project encodes.
func TestMLE(t *testing.T) {
	challenge := mle.NewChallenge([8]byte{1, 2, 3, 4, 5, 6, 7, 8})
	allRouters, allNodes := netip.MustParseAddr("ff02::2"), netip.MustParseAddr("ff02::1")
	timestamp := meshcop.Timestamp{Seconds: 0x010203040506, Ticks: 0x1234}
	routes := mle.Route64{IDSequence: 9}
	routes.Routers = routes.Routers.Add(22).Add(0).Add(62)
	routes.Routes[0] = mle.Route{LinkQualityOut: 3, LinkQualityIn: 2, Cost: 1}
	routes.Routes[22] = mle.Route{Cost: 1}
	routes.Routes[62] = mle.Route{LinkQualityOut: 1, LinkQualityIn: 3, Cost: 15}

	tests := []struct {
		command mle.Command
		dst     netip.Addr
		tlvs    []byte
		want    fields
		lists   map[string][]string
	}{
		{
			mle.ParentRequest, allRouters,
			mle.AppendVersion(mle.AppendScanMask(mle.AppendChallenge(mle.AppendMode(nil,
				mle.ModeRxOnWhenIdle|mle.ModeSecureDataRequests), challenge), mle.ScanRouters), mle.Version1_1),
			fields{
				"ipv6.hlim": "255", "udp.dstport": "19788", "wpan.fcf": "0xd841",
				"mle.tlv.mode.idle_rx": "1", "mle.tlv.mode.sec_data_req": "1", "mle.tlv.mode.device_type": "0", "mle.tlv.mode.nwk_data": "0",
				"mle.tlv.challenge":   "01:02:03:04:05:06:07:08",
				"mle.tlv.scan_mask.r": "1", "mle.tlv.scan_mask.e": "0", "mle.tlv.version": "2",
			}, nil,
		},
		{
			mle.ParentResponse, theirLinkLocal,
			mle.AppendConnectivity(mle.AppendLinkMargin(mle.AppendLeaderData(mle.AppendMLEFrameCounter(mle.AppendLinkLayerFrameCounter(
				mle.AppendResponse(mle.AppendSourceAddress(nil, ourRLOC16), challenge), 1000), 2000),
				mle.LeaderData{PartitionID: 0x01020304, Weighting: 64, DataVersion: 7, StableDataVersion: 5, LeaderRouterID: 22}), 107),
				mle.Connectivity{ParentPriority: 1, LinkQuality3: 4, LinkQuality2: 3, LinkQuality1: 2, LeaderCost: 1, IDSequence: 9, ActiveRouters: 5}),
			fields{
				"wpan.fcf": "0xdc61", "mle.tlv.source_addr": "58:00", "mle.tlv.response": "01:02:03:04:05:06:07:08",
				"mle.tlv.ll_frm_cntr": "1000", "mle.tlv.mle_frm_cntr": "2000",
				"mle.tlv.leader_data.partition_id": "0x01020304", "mle.tlv.leader_data.weighting": "64",
				"mle.tlv.leader_data.data_version": "7", "mle.tlv.leader_data.stable_data_version": "5", "mle.tlv.leader_data.router_id": "22",
				"mle.tlv.link_margin": "107", "mle.tlv.conn.flags.pp": "1", "mle.tlv.conn.lq3": "4", "mle.tlv.conn.lq2": "3", "mle.tlv.conn.lq1": "2",
				"mle.tlv.conn.leader_cost": "1", "mle.tlv.conn.id_seq": "9", "mle.tlv.conn.active_rtrs": "5", "mle.tlv.conn.sed_buf_size": "",
			}, nil,
		},
		{
			mle.ParentResponse, theirLinkLocal,
			mle.AppendConnectivity(nil, mle.Connectivity{ParentPriority: -1, SEDBuffers: true, SEDBufferSize: 1280, SEDDatagramCount: 1}),
			fields{"mle.tlv.conn.flags.pp": "-1", "mle.tlv.conn.sed_buf_size": "1280", "mle.tlv.conn.sed_dgram_cnt": "1"}, nil,
		},
		{
			mle.ChildIDRequest, theirLinkLocal,
			mle.AppendAddressRegistration(mle.AppendTLVRequest(mle.AppendTimeout(nil, 240*time.Second),
				mle.TLVAddress16, mle.TLVNetworkData, mle.TLVRoute64),
				mle.AddressEntry{ContextID: 1, IID: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}},
				mle.AddressEntry{Addr: netip.MustParseAddr("2001:db8::1")}),
			fields{
				"mle.tlv.timeout": "240", "mle.tlv.addr_reg_cid": "1", "mle.tlv.addr_reg_iid": "01:02:03:04:05:06:07:08",
				"mle.tlv.addr_reg_ipv6": "2001:db8::1",
			},
			map[string][]string{"mle.tlv.type": {"2", "13", "10", "12", "9", "19"}},
		},
		{
			mle.ChildIDResponse, theirLinkLocal,
			mle.AppendTLV(mle.AppendTLV(mle.AppendTLV(mle.AppendRoute64(mle.AppendAddress16(nil, theirRLOC16), routes),
				mle.TLVNetworkData, networkData()),
				mle.TLVActiveTimestamp, must(timestamp.AppendBinary(nil))),
				mle.TLVActiveOperationalDataset, activeDataset()),
			fields{
				"mle.tlv.addr16": "58:03", "mle.tlv.route64.id_seq": "9", "mle.tlv.route64.id_mask": "80:00:02:00:00:00:00:02",

				"thread_nwd.tlv.has_route.br_16": "0x5800", "thread_nwd.tlv.has_route.pref": "1",
				"thread_nwd.tlv.prefix.length": "64", "thread_nwd.tlv.prefix": "2001:dead:beef:cafe::",
				"thread_nwd.tlv.border_router.16": "0x5800", "thread_nwd.tlv.border_router.pref": "3",
				"thread_nwd.tlv.border_router.flag.p": "1", "thread_nwd.tlv.border_router.flag.s": "1", "thread_nwd.tlv.border_router.flag.d": "0",
				"thread_nwd.tlv.border_router.flag.c": "0", "thread_nwd.tlv.border_router.flag.r": "1", "thread_nwd.tlv.border_router.flag.o": "1",
				"thread_nwd.tlv.6co.flag.c": "1", "thread_nwd.tlv.6co.flag.cid": "1", "thread_nwd.tlv.6co.context_length": "64",
				"thread_nwd.tlv.service.t": "0x01", "thread_nwd.tlv.service.s_id": "0x03", "thread_nwd.tlv.service.s_data": "5c",
				"thread_nwd.tlv.server.16": "0x5803", "thread_nwd.tlv.server.data": "ab",

				"thread_meshcop.tlv.channel": "11", "thread_meshcop.tlv.pan_id": "0x1234", "thread_meshcop.tlv.xpan_id": "0xdead00beef00cafe",
				"thread_meshcop.tlv.ml_prefix": "fdde:ad00:beef::", "thread_meshcop.tlv.net_name": "OpenThread",
				"thread_meshcop.tlv.sec_policy_rot": "672", "thread_meshcop.tlv.sec_policy_o": "1", "thread_meshcop.tlv.sec_policy_n": "0",
				"thread_meshcop.tlv.sec_policy_r": "1", "thread_meshcop.tlv.sec_policy_c": "0", "thread_meshcop.tlv.sec_policy_b": "1",
				"thread_meshcop.tlv.chan_mask_mask": "00:1f:ff:e0",
			},
			map[string][]string{
				"mle.tlv.route64.cost": {"1", "1", "15"}, "mle.tlv.route64.nbr_out": {"3", "0", "1"}, "mle.tlv.route64.nbr_in": {"2", "0", "3"},
				"thread_nwd.tlv.type": {"1", "0", "2", "3", "5", "6"},
			},
		},
		{mle.Advertisement, allNodes, nil, fields{}, nil},
		{
			mle.Announce, allNodes,
			mle.AppendPANID(mle.AppendTLV(mle.AppendChannel(nil, mle.Channel{Number: 11}), mle.TLVPendingTimestamp, must(timestamp.AppendBinary(nil))), pan),
			fields{"mle.tlv.channel_page": "0", "mle.tlv.channel": "11", "mle.tlv.pan_id": "0x1234"}, nil,
		},
		{mle.DataRequest, theirLinkLocal, mle.AppendTLVRequest(nil, mle.TLVNetworkData), fields{}, nil},
		{mle.ChildUpdateResponse, theirLinkLocal, mle.AppendStatus(nil, mle.StatusError), fields{"mle.tlv.status": "1"}, nil},
		{
			mle.DiscoveryRequest, allRouters,
			mle.AppendTLV(nil, mle.TLVThreadDiscovery, meshcop.AppendDiscoveryRequest(nil, meshcop.DiscoveryRequest{Version: 2, Joiner: true})),
			fields{"thread_meshcop.tlv.discovery_req_ver": "2", "thread_meshcop.tlv.discovery_req_j": "1"}, nil,
		},
		{
			mle.DiscoveryResponse, theirLinkLocal,
			mle.AppendTLV(nil, mle.TLVThreadDiscovery, meshcop.AppendJoinerUDPPort(
				meshcop.AppendDiscoveryResponse(nil, meshcop.DiscoveryResponse{Version: 2, NativeCommissioner: true}), 1000)),
			fields{"thread_meshcop.tlv.discovery_rsp_ver": "2", "thread_meshcop.tlv.discovery_rsp_n": "1", "thread_meshcop.tlv.udp_port": "1000"}, nil,
		},
	}
	s := newSender(t, 0)
	var lasts []int // frames that end a message
	for _, tt := range tests {
		macDst := ieee802154.ExtAddress(theirExt)
		if tt.dst.IsMulticast() {
			macDst = everyone
		}
		s.mle(tt.dst, macDst, append(mle.AppendCommand(nil, tt.command), tt.tlvs...))
		lasts = append(lasts, len(s.psdus)-1)
	}
	frames := s.verify()
	for i, tt := range tests {
		t.Run(tt.command.String(), func(t *testing.T) {
			f := frames[lasts[i]]
			fields{"mle.cmd": fmt.Sprint(uint8(tt.command)), "mle.sec_suite": "0x00"}.check(t, f)
			tt.want.check(t, f)
			for name, want := range tt.lists {
				if got := f.Fields(name); !slices.Equal(got, want) {
					t.Errorf("%s = %v, want %v", name, got, want)
				}
			}
			// Shown as a date, the form of which depends on tshark's version.
			if f.Has("mle.tlv.active_tstamp") && f.Bytes("mle.tlv.active_tstamp") != "0102030405062468" {
				t.Errorf("active timestamp %s", f.Bytes("mle.tlv.active_tstamp"))
			}
		})
	}
}

// TestMLEKeySequences seals messages with keys of other sequences, which MLE names in
// full.
func TestMLEKeySequences(t *testing.T) {
	for _, sequence := range []keys.Sequence{1, 128, 0xdeadbeef} {
		t.Run(fmt.Sprint(sequence), func(t *testing.T) {
			s := newSender(t, sequence)
			s.counter = 1<<32 - 1
			s.mle(netip.MustParseAddr("ff02::1"), everyone, mle.AppendSourceAddress(mle.AppendCommand(nil, mle.Advertisement), ourRLOC16))
			fields{
				"wpan.aux_sec.key_source.bytes": fmt.Sprintf("%02x:%02x:%02x:%02x", byte(sequence>>24), byte(sequence>>16), byte(sequence>>8), byte(sequence)),
				"wpan.aux_sec.frame_counter":    "4294967295", "mle.tlv.source_addr": "58:00",
			}.check(t, s.verify()[0])
		})
	}
}
