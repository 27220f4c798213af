package dissect

import (
	"encoding/hex"
	"fmt"

	"github.com/gopymesh/pymesh/thread/tlv"
)

// Family tells where a TLV type is defined.
type Family uint8

// The families.
const (
	FamilyMLE          Family = iota // package mle
	FamilyNetworkLayer               // package tmf, under a/
	FamilyDiagnostic                 // package tmf, under d/
	FamilyMeshCoP                    // package meshcop: datasets, discovery, and messages under c/
	FamilyNetworkData                // package netdata
)

var familyNames = [...]string{"MLE", "Network Layer", "Diagnostic", "MeshCoP", "Network Data"}

// String returns the name of the family.
func (f Family) String() string { return familyNames[f] }

// TLV is an element of a message.
type TLV struct {
	Family Family
	Type   uint8
	Stable bool   // of network data: in the stable subset
	Name   string // the standard's name of the type
	Known  bool   // the type is one of Thread 1.1
	Raw    []byte // type, length and value
	Value  []byte

	// Text is the value in words: its digits in hexadecimal if the type is not known or the value malformed.
	Text string
	// Sub are the TLVs inside the value.
	Sub []TLV
	// Err tells why the value is malformed.
	Err error
}

// decoder returns the value of a TLV in words.
type decoder func(t *TLV) (string, error)

// text makes a decoder of a function that parses values, for values that print themselves.
func text[T any](parse func([]byte) (T, error)) decoder {
	return textf(parse, func(v T) string { return fmt.Sprint(v) })
}

// textf makes a decoder of a function that parses values and one that prints them.
func textf[T any](parse func([]byte) (T, error), format func(T) string) decoder {
	return func(t *TLV) (string, error) {
		v, err := parse(t.Value)
		if err != nil {
			return "", err
		}
		return format(v), nil
	}
}

// sub makes a decoder for a value that is a sequence of TLVs.
func sub(read func([]byte) []TLV) decoder {
	return func(t *TLV) (string, error) {
		t.Sub = read(t.Value)
		return "", nil
	}
}

// readTLVs reads a sequence of TLVs. name fills in what the type says and returns the decoder of the value.
func readTLVs(b []byte, family Family, name func(t *TLV) decoder) []TLV {
	var tlvs []TLV
	for len(b) > 0 {
		typ, value, rest, err := tlv.Next[uint8](b)
		if err != nil {
			return append(tlvs, cutOff(b, family, err))
		}
		t := TLV{Family: family, Type: typ, Raw: b[:len(b)-len(rest)], Value: value}
		t.decode(name(&t))
		tlvs = append(tlvs, t)
		b = rest
	}
	return tlvs
}

// cutOff stands for what is left of a sequence that ends inside an element.
func cutOff(b []byte, family Family, err error) TLV {
	return TLV{Family: family, Type: b[0], Name: "cut off", Raw: b, Text: hex.EncodeToString(b), Err: err}
}

// decode sets the text of t; a nil decoder leaves it at the digits.
func (t *TLV) decode(d decoder) {
	if d != nil {
		if t.Text, t.Err = d(t); t.Err == nil {
			return
		}
	}
	t.Text = hex.EncodeToString(t.Value)
}

// problem returns the first problem in t and the TLVs inside.
func (t *TLV) problem() error {
	if t.Err != nil {
		return fmt.Errorf("%s: %w", t.Name, t.Err)
	}
	for i := range t.Sub {
		if err := t.Sub[i].problem(); err != nil {
			return err
		}
	}
	return nil
}

func (f *Frame) setTLVs(tlvs []TLV) {
	f.TLVs = tlvs
	for i := range tlvs {
		if err := tlvs[i].problem(); err != nil {
			f.fail(err)
		}
	}
}

// dataText prints bytes as text if they are, else in hexadecimal.
func dataText(b []byte) string {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return hex.EncodeToString(b)
		}
	}
	return fmt.Sprintf("%q", b)
}
