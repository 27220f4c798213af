package sx126x

// WithNoCS is what Open does for a Board with NoCS.
var WithNoCS Option = withNoCS
