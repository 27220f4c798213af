package sx1276

// WithNoCS is what Open does for a Board with NoCS.
var WithNoCS Option = withNoCS
