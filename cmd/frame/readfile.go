package frame

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// errNobodyWrites means that a FIFO was named as a file and nothing came through it.
var errNobodyWrites = errors.New("it is a FIFO, and nothing was written to it in time")

// pipePatience is how long a FIFO may take that was named in place of a file.
const pipePatience = 10 * time.Second

// readFile reads a file, and of one that is longer than most one byte more. It looks at the kind of file before it opens
// it: to open a FIFO or a terminal may take for ever. What is no regular file gets until patience is over.
func readFile(path string, most int64, patience time.Duration) ([]byte, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		return nil, nil, &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	}
	if info.Mode().IsRegular() {
		file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be another file by now
		if err != nil {
			return nil, nil, err
		}
		defer file.Close()
		text, err := io.ReadAll(io.LimitReader(file, most+1))
		return text, info, err
	}
	type contents struct {
		text []byte
		err  error
	}
	read := make(chan contents, 1)
	go func() { // where it takes too long, the process ends before this does
		file, err := os.Open(path)
		if err != nil {
			read <- contents{nil, err}
			return
		}
		defer file.Close()
		text, err := io.ReadAll(io.LimitReader(file, most+1))
		read <- contents{text, err}
	}()
	select {
	case c := <-read:
		return c.text, info, c.err
	case <-time.After(patience):
		return nil, nil, errNobodyWrites
	}
}
