package netif

// Finding is one thing that [Check] has looked at.
type Finding struct {
	// What was looked at, in a few words.
	What string
	// OK says that it is as it should be.
	OK bool
	// Detail says how it is, and why that matters if it is not OK.
	Detail string
	// Remedy is what to do: commands to be run as root, or lines for a file.
	Remedy string
}

// CheckOptions say what the host is to do.
type CheckOptions struct {
	// Name of the interface; "pymesh0" if empty.
	Name string
	// BorderRouter is as in [Options].
	BorderRouter *BorderRouter
}
