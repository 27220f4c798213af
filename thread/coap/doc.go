// Package coap implements the Constrained Application Protocol as far as Thread network management (TMF) and small
// applications need it (RFC 7252): messages and options, and the exchange of confirmable and non-confirmable
// messages. Block-wise transfer, observation, proxying and DTLS are not here.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+---+---+-------+---------------+-------------------------------+
//	| 1 | T |  TKL  |     Code      |          Message ID           |
//	+---+---+-------+---------------+-------------------------------+
//	|  Token (TKL bytes, 0 to 8) ...                                |
//	+---------------------------------------------------------------+
//	|  Options ...                                                  |
//	+---------------+-----------------------------------------------+
//	|     0xff      |  Payload (at least 1 byte), or neither        |
//	+---------------+-----------------------------------------------+
//
// An option is a nibble of delta to the previous option's number, a nibble of length, their extensions and the value
// (RFC 7252 §3.1).
//
// Endpoint keeps the state of exchanges: retransmission, matching of responses, and answers to duplicates. It neither
// reads a clock nor touches a socket.
package coap
