package guide

import (
	"context"
	"errors"
	"slices"
	"testing"

	"p11bridge/cmd/terminal"
)

// TestWalk goes back over steps that asked nothing, and out before the first that did.
func TestWalk(t *testing.T) {
	left := errors.New("left")
	for _, row := range []struct {
		name    string
		asks    []bool  // what each step tells
		answers []error // what each call of a step ends with, nil after the last
		visits  []int
		err     error
	}{
		{"straight on", []bool{true, true, true}, nil, []int{0, 1, 2}, nil},
		{"one back", []bool{true, true, true}, []error{nil, nil, terminal.ErrBack}, []int{0, 1, 2, 1, 2}, nil},
		{"over one that asked nothing", []bool{true, false, true}, []error{nil, nil, terminal.ErrBack}, []int{0, 1, 2, 0, 1, 2}, nil},
		{"out of the first", []bool{true, true}, []error{terminal.ErrBack}, []int{0}, terminal.ErrBack},
		{"out, since nothing was asked", []bool{false, true}, []error{nil, terminal.ErrBack}, []int{0, 1}, terminal.ErrBack},
		{"left in the middle", []bool{true, true}, []error{nil, left}, []int{0, 1}, left},
	} {
		t.Run(row.name, func(t *testing.T) {
			var visits []int
			var steps []step
			for i, asks := range row.asks {
				steps = append(steps, func(context.Context) (bool, error) {
					visits = append(visits, i)
					if len(visits) > len(row.answers) {
						return asks, nil
					}
					return asks, row.answers[len(visits)-1]
				})
			}
			if err := walk(t.Context(), steps...); !errors.Is(err, row.err) || !slices.Equal(visits, row.visits) {
				t.Errorf("%v and %v, not %v and %v", visits, err, row.visits, row.err)
			}
		})
	}
}
