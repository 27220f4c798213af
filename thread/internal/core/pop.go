package core

import "slices"

// Pop takes the first element of a queue, whose array stays where it is, and reports false if there is none.
func Pop[T any](queue *[]T) (first T, ok bool) {
	if len(*queue) == 0 {
		return first, false
	}
	first = (*queue)[0]
	*queue = slices.Delete(*queue, 0, 1)
	return first, true
}
