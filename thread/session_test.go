package thread

// SetCommissionerSession makes the node the commissioner, as far as scans are concerned.
func (e *Engine) SetCommissionerSession(id uint16) {
	e.surroundings.session = func() (uint16, bool) { return id, true }
}
