// Package netif puts the host itself on the mesh: a TUN interface through which ping, coap-client or any other program of a Linux host reaches
// the nodes, and, as a border router, through which the nodes reach the world as far as the owner allows.
//
//	program ─► kernel ─► TUN ─► filter ─► queue (airtime) ─► node ─► mesh
//	program ◄─ kernel ◄─ TUN ◄───────────────────────────── node ◄─ mesh
//	uplink  ◄► kernel ◄► TUN ◄► fence (conversations, rules) ◄► node ◄► mesh
//
// LoRa carries little: a packet of 1280 bytes takes three seconds on each hop at SF7, and the law gives a node 36 seconds an hour in most of
// Europe. So the default is no: what a kernel and its programs send by themselves on each interface (router solicitations, MLD, mDNS, SSDP,
// DHCP) stays on the host, TCP needs leave ([Options].TCP), equal packets collapse while they wait, and all has a budget of airtime that
// follows what the duty cycle has left. What is refused is answered with an ICMPv6 error, so that a program's connect fails at once. Reports
// of multicast listeners are read, and the node joins the groups that the host's programs join.
//
// What works well: pings, CoAP, small UDP datagrams. What hardly does: anything with a handshake of many packets, such as TLS or ssh.
//
// [Up] needs CAP_NET_ADMIN. [Attach] uses an interface that somebody made beforehand, and needs nothing. Elsewhere than on Linux both fail with
// [errors.ErrUnsupported].
//
// # Border router
//
// With [Options].BorderRouter the host's kernel routes between the uplink and a prefix of the mesh. In a process of its own, before the kernel's
// firewall, nothing comes in but answers to what the mesh has begun (256 conversations, five minutes each) and what a [Rule] allows; nothing
// goes out from a mesh-local address, or to one. What the kernel's routes lead back into the mesh is refused with an error. While the host has no default route the mesh is told so. [Check] finds what on a host
// commonly stands in the way (forwarding, router advertisements, firewalls) and how to mend it.
//
// The kernel forwards from the prefix as it is. A prefix of fd00::/8 needs address translation (NAT66, the file pymesh-nat66.nft beside this package) to reach
// the internet; a prefix that the uplink has delegated needs none.
package netif
