// Package dtls is DTLS 1.2 (RFC 6347) in the profile by which a Thread network lets joiners and commissioners in: the one cipher suite
// TLS_ECJPAKE_WITH_AES_128_CCM_8, a password on both sides, no certificates, no resumption, no renegotiation, no compression (Thread 1.1 §8.2).
// A [Conn] is one side of one connection as a state machine, without goroutine or clock.
//
//	client                                          server
//	ClientHello                        ──────────►  Cookies.Check, nothing is kept
//	               ◄──────────  HelloVerifyRequest
//	ClientHello, cookie, round one     ──────────►  Accept
//	                       ServerHello, round one
//	                ServerKeyExchange, round two
//	               ◄──────────    ServerHelloDone
//	ClientKeyExchange, round two
//	[ChangeCipherSpec] Finished        ──────────►
//	               ◄────────── [ChangeCipherSpec] Finished
//	application data                   ◄────────►   application data
//
// A record:
//
//	┌──────┬─────────┬───────┬────────────────┬────────┬─────────────────────────────┐
//	│ type │ version │ epoch │ sequence number│ length │ fragment                    │
//	│ 1    │ 2       │ 2     │ 6              │ 2      │ in epoch 1: nonce 8, …, MIC 8│
//	└──────┴─────────┴───────┴────────────────┴────────┴─────────────────────────────┘
//
// Nothing that is not authentic ends a connection. In the handshake, where there are no keys yet, an alert, or a Finished under another key, counts
// only if nothing better has come when the timer runs out: that is how a wrong password shows.
package dtls
