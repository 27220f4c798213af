// Package ecjpake is the password-authenticated key agreement EC J-PAKE over P-256 (RFC 8236 with the proofs of RFC 8235), in the encoding of
// TLS_ECJPAKE_WITH_AES_128_CCM_8 (draft-cragie-tls-ecjpake-01), by which Thread's joiners and commissioners know each other (Thread 1.1 §8).
//
//	round one   ECJPAKEKeyKPPairList   in the hellos of both     X1 with its proof, X2 with its proof
//	round two   ECJPAKEParams          in the key exchanges      X, the password in it, with its proof; before it the curve, from the server
//
//	            ┌──────────┬───┬──────────┬───┬──────────┬───┐
//	KeyKP       │ size, X  │   │ size, V  │   │ size, r  │   │
//	            └──────────┴───┴──────────┴───┴──────────┴───┘
//
// Both sides come to the same secret if both had the same password. Who has another learns one thing, that it was the wrong one: each try is an
// exchange with the other side, and what was exchanged is of no use for trying others afterwards.
//
// What is secret, the password and the private keys, is computed with in constant time. What comes from the peer is checked whole: that points are
// on the curve and not its identity, that none is this side's own, that the peer knows the key of each.
package ecjpake
