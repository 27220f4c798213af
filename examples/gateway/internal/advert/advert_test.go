package advert

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/mdns"
	"github.com/miekg/dns"
)

var example = Info{
	Instance: "pymesh gateway 1.2", Port: 49191, Network: "home", ExtPANID: [8]byte{0xde, '\\', 0, 0xbe, 0xef, 0, 0xca, 0xfe}, MAC: 0x70b3d54990000001,
	Partition: 0x12345678, Attached: true, Model: "gateway",
}

// What is told survives the wire, byte by byte.
func TestTXT(t *testing.T) {
	a := &Advertiser{host: "host.local.", ips: []net.IP{net.IPv4(192, 0, 2, 1)}}
	if err := a.Set(example); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, rr := range a.Records(dns.Question{Name: "_meshcop._udp.local.", Qtype: dns.TypePTR, Qclass: dns.ClassINET}) {
		b := make([]byte, 1500)
		n, err := dns.PackRR(rr, b, 0, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		txt, ok := rr.(*dns.TXT)
		if !ok {
			continue
		}
		// The data of the record, by RFC 1035: strings with a length each.
		data := b[n-rdataLength(txt.Txt) : n]
		for len(data) > 0 {
			length := int(data[0])
			key, value, _ := strings.Cut(string(data[1:1+length]), "=")
			got[key] = value
			data = data[1+length:]
		}
	}
	for key, want := range map[string]string{
		"rv": "1", "tv": "1.1.1", "nn": "home", "xp": string(example.ExtPANID[:]), "xa": "\x70\xb3\xd5\x49\x90\x00\x00\x01", "sb": "\x00\x00\x00\x31",
		"pt": "\x12\x34\x56\x78", "vn": "pymesh", "mn": "gateway",
	} {
		if got[key] != want {
			t.Errorf("%s: %q, want %q", key, got[key], want)
		}
	}
	away := example
	away.Attached = false
	if text := strings.Join(away.TXT(), "|"); !strings.Contains(text, "sb=\x00\x00\x00\x29") || strings.Contains(text, "pt=") {
		t.Errorf("%q", text)
	}
}

// rdataLength is how long the data are: an escaped backslash is one byte.
func rdataLength(texts []string) (n int) {
	for _, s := range texts {
		n += 1 + len(strings.ReplaceAll(s, `\\`, `\`))
	}
	return n
}

// Somebody in the network asks, and is answered.
func TestAsked(t *testing.T) {
	on, err := multicastInterface()
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	hears, err := net.ListenMulticastUDP("udp4", on, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353})
	if err != nil {
		t.Skipf("skipped: no multicast here: %v", err)
	}
	_ = hears.Close()
	a, err := Start(example, on)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	found := make(chan *mdns.ServiceEntry, 16)
	query := mdns.DefaultParams(service)
	query.Entries, query.Interface, query.Timeout, query.DisableIPv6 = found, on, time.Second, true
	if err := mdns.Query(query); err != nil {
		t.Skipf("skipped: no multicast here: %v", err)
	}
	close(found)
	for e := range found {
		if e.Port == 49191 && strings.HasPrefix(e.Name, `pymesh`) {
			return
		}
	}
	t.Error("nobody was found")
}

func multicastInterface() (*net.Interface, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for i := range list {
		if addrs, err := list[i].Addrs(); err == nil && len(addrs) > 0 && list[i].Flags&(net.FlagUp|net.FlagMulticast) == net.FlagUp|net.FlagMulticast {
			return &list[i], nil
		}
	}
	return nil, net.UnknownNetworkError("no interface with multicast")
}
