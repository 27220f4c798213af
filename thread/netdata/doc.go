// Package netdata encodes and decodes Thread network data: the prefixes, routes, services and commissioning data that a
// leader distributes to its partition (Thread 1.1 §5.18).
//
//	 0                   1
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
//	+-------------+-+---------------+
//	|    Type     |S|  Length 0..255|  Value ...
//	+-------------+-+---------------+
//
// S marks data that is stable: it goes to children that want the stable subset alone, and changes to it raise the
// stable data version. Prefix and Service TLVs hold further TLVs:
//
//	Prefix               domain ID, prefix length, prefix, then
//	  Has Route          entries of RLOC16, preference
//	  Border Router      entries of RLOC16, preference and flags
//	  6LoWPAN Context    flags and context ID, context length
//	Service              T bit and service ID, enterprise number (without T), data, then
//	  Server             RLOC16, data
//	Commissioning Data   MeshCoP TLVs
//
// Types that are not known are carried as they are.
package netdata
