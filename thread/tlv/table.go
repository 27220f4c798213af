package tlv

import "strconv"

// Info is what a standard says of one type of TLV.
type Info struct {
	Name     string // as the standard writes it
	Min, Max int    // bytes of the shortest and of the longest value
}

// Fixed says that all values of a type have size bytes.
func Fixed(name string, size int) Info { return Info{Name: name, Min: size, Max: size} }

// Between says that the values of a type have shortest to longest bytes.
func Between(name string, shortest, longest int) Info {
	return Info{Name: name, Min: shortest, Max: longest}
}

// AnyLength says that the values of a type may have whatever length a TLV can carry.
func AnyLength(name string) Info { return Info{Name: name, Max: MaxLength} }

// Table holds the TLV types of one protocol, each at its own index. A type that is beyond the table, or has no name there,
// is unknown.
type Table[T ~uint8] []Info

// Known reports whether typ is in the table.
func (t Table[T]) Known(typ T) bool { return int(typ) < len(t) && t[typ].Name != "" }

// ValidLength reports whether a value of n bytes is one that typ allows. An unknown type allows any.
func (t Table[T]) ValidLength(typ T, n int) bool {
	return !t.Known(typ) || t[typ].Min <= n && n <= t[typ].Max
}

// Name returns the standard's name of the type, or the number of an unknown one: "TLV 200".
func (t Table[T]) Name(typ T) string {
	if t.Known(typ) {
		return t[typ].Name
	}
	return "TLV " + strconv.Itoa(int(typ))
}
