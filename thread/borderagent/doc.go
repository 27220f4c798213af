// Package borderagent is the part of a border agent that faces outward: it lets a commissioner from outside, a program on a computer or a telephone
// that knows the network's PSKc, manage the mesh (Thread 1.1 §8.2, §8.7). An [Agent] is a state machine without goroutine or clock, between a UDP
// socket of the host and a node of the mesh, which thread.Engine is:
//
//	commissioner                    Agent                              node                    mesh
//	ClientHello ─────────────────►  cookie, rates
//	     ◄─── DTLS, password PSKc ─►  session
//	COMM_PET (c/cp), COMM_KA (c/ca) ►  Request{Ask}  ───────────────►  LEAD_PET (c/lp), LEAD_KA (c/la) ─► leader
//	MGMT_*_GET, MGMT_*_SET ────────►  Request{Ask}  ───────────────►  the same ──────────────────────► leader
//	RLY_TX (c/tx) ─────────────────►  Request{Relay}  ─────────────►  the same ──────────────────────► joiner router
//	UDP_TX (c/ut) ─────────────────►  Request{Datagram}  ──────────►  UDP from the commissioner's locator
//	          ◄─────── answer ──────  Report{Answer}  ◄─────────────  answer  ◄──────────────────────── leader
//	          ◄── RLY_RX (c/rx) ────  Report{Relayed}  ◄────────────  RLY_RX  ◄──────────────────────── joiner router
//	          ◄── UDP_RX (c/ur) ────  Report{Received}  ◄───────────  UDP to the commissioner's locator
//
// Who has not shown that it is where it says it is costs a cookie and is not remembered; who has not shown the PSKc yet has a share of the handshakes,
// and all of them together have no more than a few at a time; each wrong guess makes the next wait.
package borderagent
