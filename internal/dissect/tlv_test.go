package dissect_test

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTLVs shows TLVs in words, whatever message they stand in: an MLE command, or a resource of network management.
func TestTLVs(t *testing.T) {
	tests := []struct {
		uri   string // "" for MLE
		tlvs  string
		lines []string
	}{
		{"", "0101 0f" + "0101 04", []string{
			"  Mode                          rsdn (always listening, secure data requests, full device, full network data)",
			"  Mode                          s (sleepy, secure data requests, minimal device, stable network data)",
		}},
		{"", "0204 000000f0" + "1001 50" + "1101 01" + "1101 02" + "1202 0002" + "1202 0001", []string{
			"  Timeout                       240 s",
			"  Link Margin                   80 dB",
			"  Status                        error",
			"  Status                        2",
			"  Version                       2 (Thread 1.1)",
			"  Version                       1",
		}},
		{"", "090a 05 8000000000000000 b1" + "0b08 00000001 40 02 01 10", []string{
			"  Route64                       sequence 5; router 0: quality out 2, in 3, cost 1",
			"  Leader Data                   partition 00000001, weight 64, leader is router 16, data version 2, stable 1",
		}},
		{"", "0e01 c0" + "0f07 c0 01 02 03 04 05 06" + "0f0a 00 01 02 03 04 05 06 0500 01" + "1403 00000b" + "1502 1234", []string{
			"  Scan Mask                     routers and end devices",
			"  Connectivity                  priority -1; 1, 2 and 3 links of quality 3, 2 and 1; cost to leader 4; sequence 5, 6 routers",
			"  Connectivity                  priority 0; 1, 2 and 3 links of quality 3, 2 and 1; cost to leader 4; sequence 5, 6 routers; " +
				"buffers 1280 bytes and 1 datagrams for a sleepy child",
			"  Channel                       11",
			"  PAN ID                        0x1234",
		}},
		{"", "131a 80 1122334455667788 00 20010db8000000000000000000000001", []string{
			"  Address Registration          context 0, 1122334455667788; 2001:db8::1",
		}},
		{"", "0c36" + "0314 0040 20010db800000000" + "0702 1340" + "0504 5800f300" + "020b 0020 20010db8" + "0003 580040" +
			"0b0b 81 02 6162" + "0d05 5800 010203" + "0804 0b02 0001", []string{
			"  Network Data",
			"    Prefix                      stable, 2001:db8::/64",
			"      6LoWPAN Context           stable, 3, 64 bits",
			"      Border Router             stable, 0x5800, preference low, preferred, SLAAC, default route, on-mesh",
			"    Prefix                      2001:db8::/32",
			"      Has Route                 0x5800, preference high",
			`    Service                     stable, 1, enterprise 44970, data "ab"`,
			"      Server                    stable, 0x5800, data 010203",
			"    Commissioning Data",
			"      Commissioner Session ID   1",
		}},
		{"a/as", "0108 70b3d54990000001" + "0202 5800" + "0401 02" + "0401 00" + "0709 05 c000000000000000" + "0604 0000000a", []string{
			"  Extended MAC Address          70b3d54990000001",
			"  RLOC16                        0x5800",
			"  Status                        too few routers",
			"  Status                        success",
			"  Router Mask                   sequence 5, routers 0 1",
			"  Time Since Last Transaction   10 s",
		}},
		{"a/an", "0010 fddead00beef00000000000000000001" + "0308 0000000000000001", []string{
			"  Target EID                    fdde:ad00:beef::1",
			"  ML-EID                        0:0:0:1",
		}},
		{"c/ag", "0d02 0e33", []string{
			"  Get                           Active Timestamp, Pending Timestamp",
		}},
		{"c/as", "1001 01" + "1001 ff" + "1001 00" + "1001 05" + "3404 0000ea60" + "0c03 02a0 f8" + "0302 6d65", []string{
			"  State                         accept",
			"  State                         reject",
			"  State                         pending",
			"  State                         5",
			"  Delay Timer                   1m0s",
			"  Security Policy               keys change after 672 h, flags onrcb",
			`  Network Name                  "me"`,
		}},
		{"c/ps", "3506 0004 001fffe0" + "3506 0004 00100000" + "0510 00112233445566778899aabbccddeeff" + "0708 fddead00beef0000", []string{
			"  Channel Mask                  11-26",
			"  Channel Mask                  11",
			"  Network Master Key            not shown",
			"  Mesh Local Prefix             fdde:ad00:beef::/64",
		}},
		{"c/xx", "8002 2800" + "8102 2800" + "8002 2000" + "0b02 0001" + "0902 5800", []string{
			"  Discovery Request             version 2, joiner",
			"  Discovery Response            version 2, native commissioner",
			"  Discovery Request             version 2",
			"  Commissioner Session ID       1",
			"  Border Agent Locator          0x5800",
		}},
		{"d/dg", "0008 70b3d54990000001" + "0102 5800" + "1006 f80109 08020f" + "1203 000110" + "0e01 32" + "0f02 0ce4" + "1101 00", []string{
			"  Extended MAC Address          70b3d54990000001",
			"  Address16                     0x5800",
			"  Child Table                   child 1 of mode rn, timeout up to 37282h42m8s, child 2 of mode rsdn, timeout up to 125ms",
			"  Type List                     Extended MAC Address, Address16, Child Table",
			"  Battery Level                 50 %",
			"  Supply Voltage                3300 mV",
			"  Channel Pages                 0",
		}},
		{"d/da", "0810 fddead00beef00000000000000000001" + "0924" + strings.Repeat("00000001", 9), []string{
			"  IPv6 Address List             fdde:ad00:beef::1",
			"  MAC Counters                  in unknown 1, in errors 1, out errors 1, in unicast 1, in broadcast 1, in discarded 1, " +
				"out unicast 1, out broadcast 1, out discarded 1",
		}},
	}
	for _, tt := range tests {
		a := newAir(t)
		a.hear(a.advertise(1, 0x5800))
		tlvs := unhex(t, tt.tlvs)
		var psdu []byte
		if tt.uri == "" {
			psdu = a.mle(1, append(mle.AppendCommand(nil, mle.Advertisement), tlvs...))
		} else {
			options, err := coap.Options(nil).AppendURIPath(tt.uri)
			if err != nil {
				t.Fatal(err)
			}
			m := coap.Message{Code: coap.POST, Options: options, Payload: tlvs}
			psdu = a.unicast(1, 0x5800, 0x5801, tmf.UDPPort, tmf.UDPPort, a.check(m.AppendBinary(nil)))
		}
		f := a.hear(psdu)
		details := f.Details()
		at := slices.Index(details, tt.lines[0])
		if at < 0 || !slices.Equal(details[at:], tt.lines) {
			t.Errorf("%s %s is\n%s\nwant\n%s", tt.uri, tt.tlvs, strings.Join(details, "\n"), strings.Join(tt.lines, "\n"))
		}
	}
}
