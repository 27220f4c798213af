package core

import "errors"

// Errors that several rooms return. Package thread has them under the same names.
var (
	// ErrArgument says that a value is outside its range.
	ErrArgument = errors.New("thread: invalid argument")
	// ErrNotFound says that there is no such entry.
	ErrNotFound = errors.New("thread: not found")
	// ErrExists says that there is such an entry already.
	ErrExists = errors.New("thread: exists already")
	// ErrTableFull says that there is no place for another entry.
	ErrTableFull = errors.New("thread: table full")
)
