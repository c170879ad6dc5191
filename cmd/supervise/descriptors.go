package supervise

import "errors"

// MaxDescriptor is the highest file descriptor that can be named as a source.
const MaxDescriptor = 1023

// ErrNotGiven means that nobody gave this process a file descriptor of that number.
var ErrNotGiven = errors.New("this program was not started with such a file descriptor")

// ErrDescriptorChanged means that a file descriptor no longer refers to what this process was started with: it was read
// already, or a module closed it and the number was used again.
var ErrDescriptorChanged = errors.New("the file descriptor was read already, or closed by a module")
