package pymesh

// MaxKeySize is the size of a network key in bytes. A shorter key is filled with zeros on the right.
const MaxKeySize = 16

var (
	// DefaultKey is the key that Pycom documents as the default, 0134c0de1ab51234c0de1ab5ca1a110f. It is public: a mesh that
	// uses it is open to everyone.
	DefaultKey = []byte{0x01, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0x12, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0xca, 0x1a, 0x11, 0x0f}
	// FirmwareDefaultKey is the key that the published firmware uses where none is set, 1234c0de1ab51234c0de1ab5ca1a110f.
	FirmwareDefaultKey = []byte{0x12, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0x12, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0xca, 0x1a, 0x11, 0x0f}
)
