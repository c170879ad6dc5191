package bridge

import (
	"errors"
	"fmt"
)

// ErrRequest means that a request lacks what it cannot do without, or asks for what does not exist. It is the caller's mistake,
// and found out before anything is touched.
var ErrRequest = errors.New("the request is not complete")

// part is what a request cannot do without.
type part struct {
	name    string
	missing bool
}

// needs names the first part that an operation lacks.
func needs(operation string, parts ...part) error {
	for _, p := range parts {
		if p.missing {
			return fmt.Errorf("%s: no %s: %w", operation, p.name, ErrRequest)
		}
	}
	return nil
}
