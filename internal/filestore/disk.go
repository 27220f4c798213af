package filestore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// maxSize bounds the size of a file that is read. A store has some kilobytes.
const maxSize = 1 << 20

// A disk is what a store does with files. A test has one that loses power.
type disk interface {
	// read returns the content of a file, fs.ErrNotExist, ErrDamaged for one that is too large, or why it may not be used.
	read(name string) ([]byte, error)
	size(name string) (int64, error)
	// write makes a new file, in place of any of that name, which is on the disk when write returns.
	write(name string, b []byte) error
	link(name, second string) error
	rename(from, to string) error
	// remove removes a file. It is no error that there is none.
	remove(name string) error
	// syncDirectory returns when links, renamings and removals in the directory of a file are on the disk.
	syncDirectory(name string) error
}

type osDisk struct{ volatile bool }

func (osDisk) read(name string) ([]byte, error) {
	info, err := os.Lstat(name) // before it is opened: a FIFO would block
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: %v", name, info.Mode())
	}
	if err := checkAccess(name, info); err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(b) > maxSize {
		err = fmt.Errorf("%s is larger than any store: %w", name, ErrDamaged)
	}
	return b, err
}

func (osDisk) size(name string) (int64, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (d osDisk) write(name string, b []byte) error {
	if err := d.remove(name); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // and no link is followed
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil && !d.volatile {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (osDisk) link(name, second string) error { return os.Link(name, second) }

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) remove(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d osDisk) syncDirectory(name string) error {
	if d.volatile || runtime.GOOS == "windows" { // where a directory cannot be synced; NTFS has a journal
		return nil
	}
	f, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
