// Package program runs OpenThread's simulated nodes in virtual time: programs that speak what package wire describes, with their command line.
// It knows nothing of an air: whoever starts a program tells it what it hears, and when.
package program
