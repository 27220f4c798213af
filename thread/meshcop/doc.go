// Package meshcop encodes and decodes the TLVs of mesh commissioning (Thread 1.1 chapter 8): the operational datasets,
// which say what a network is, and the discovery messages. They have the form that package tlv describes and stand in
// MLE messages (Active and Pending Operational Dataset, Thread Discovery), in TMF messages under c/, and in the
// Commissioning Data of network data.
package meshcop
