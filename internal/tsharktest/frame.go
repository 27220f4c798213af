package tsharktest

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// Frame is one frame as tshark shows it: every field of every protocol, in order.
type Frame struct {
	fields []field
}

// field is a field or a protocol, which PDML tells apart by the element alone.
type field struct {
	name     string // tshark's name for it, such as "wpan.seq_no" or "mle"
	show     string // the value in the form of tshark's display filters
	showName string // the line that a reader sees
	value    string // the bytes in hexadecimal
	outer    string // name of the element around it
}

// Severities and groups of tshark's expert information.
const (
	severityWarning = 0x00600000
	groupSequence   = 0x02000000 // about the order of frames: retransmissions, lost replies
)

// Has reports whether the frame has a protocol or field, such as "mle" or
// "mle.tlv.leader_data".
func (f Frame) Has(name string) bool {
	return slices.ContainsFunc(f.fields, func(fl field) bool { return fl.name == name })
}

// Field returns the first value of a field in the form that tshark's display
// filters use ("0x1234", "70:b3:d5:49:90:00:00:01", "ff02::1"), "" without one.
func (f Frame) Field(name string) string {
	for _, fl := range f.fields {
		if fl.name == name {
			return fl.show
		}
	}
	return ""
}

// Fields returns every value of a field, in order.
func (f Frame) Fields(name string) []string {
	var values []string
	for _, fl := range f.fields {
		if fl.name == name {
			values = append(values, fl.show)
		}
	}
	return values
}

// Bytes returns the first value of a field as the hexadecimal bytes in the frame,
// "" without one.
func (f Frame) Bytes(name string) string {
	for _, fl := range f.fields {
		if fl.name == name {
			return fl.value
		}
	}
	return ""
}

// Problems returns what tshark finds wrong with the frame on its own: faults of
// warning level and above, with those left out that concern other frames. Among
// them are checksums, malformed fields, and decryption for want of a key, a source
// address or a matching integrity code.
func (f Frame) Problems() []string {
	var problems []string
	for i, fl := range f.fields {
		switch {
		case fl.name == "_ws.malformed":
			problems = append(problems, "malformed "+fl.outer+": "+fl.showName)
		case fl.name == "wpan.fcs_ok" && fl.show != "1":
			problems = append(problems, "wrong FCS")
		case fl.name == "_ws.expert" && f.expert(i, "_ws.expert.severity") >= severityWarning &&
			f.expert(i, "_ws.expert.group") != groupSequence:
			problems = append(problems, fl.outer+": "+fl.showName)
		}
	}
	return problems
}

// expert returns a number from the expert information that begins at field i.
func (f Frame) expert(i int, name string) uint64 {
	for _, fl := range f.fields[i+1:] {
		if fl.name == name {
			n, _ := strconv.ParseUint(fl.show, 10, 32)
			return n
		}
		if fl.name == "_ws.expert" {
			break
		}
	}
	return 0
}

// parsePDML reads tshark's Packet Details Markup Language: a document of packets,
// each a list of protocols that nest fields.
func parsePDML(r io.Reader) ([]Frame, error) {
	var frames []Frame
	var open []string // names of the elements around the current one
	d := xml.NewDecoder(r)
	for {
		token, err := d.Token()
		if err == io.EOF {
			return frames, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading PDML: %w", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			var fl field
			for _, attr := range token.Attr {
				switch attr.Name.Local {
				case "name":
					fl.name = attr.Value
				case "show":
					fl.show = attr.Value
				case "showname":
					fl.showName = attr.Value
				case "value":
					fl.value = attr.Value
				}
			}
			switch token.Name.Local {
			case "packet":
				frames = append(frames, Frame{})
			case "proto", "field":
				fl.outer = open[len(open)-1]
				last := &frames[len(frames)-1]
				last.fields = append(last.fields, fl)
			}
			open = append(open, fl.name)
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}
