//go:build !linux

package netif

// Check has nothing to look at where [Up] does not work.
func Check(CheckOptions) []Finding {
	return []Finding{{What: "system", Detail: "only Linux has what this package uses"}}
}
