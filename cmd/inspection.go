package cmd

import (
	"context"
	"encoding/gob"
	"fmt"
	"io"
	"os"

	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/host"
)

// Between doctor and its children: on standard input the library to ask, on standard output what is known of it, again and
// again as more is known, since the next call may be the module's last. Both ends are this very program.

func writeOrder(order *os.File, library token.Library) error {
	if err := gob.NewEncoder(order).Encode(library); err != nil {
		return fmt.Errorf("tell the child process what to do: %w", err)
	}
	if _, err := order.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("tell the child process what to do: %w", err)
	}
	return nil
}

// inspectForParent is the child's half.
func (a *app) inspectForParent(ctx context.Context) error {
	var library token.Library
	if err := gob.NewDecoder(os.Stdin).Decode(&library); err != nil {
		return fmt.Errorf("read what to do: %w", err)
	}
	observer := &callObserver{page: a.child.page}
	if a.trace != "" {
		trace, err := continueTrace(a.trace, library.Path)
		if err != nil {
			return err
		}
		observer.trace = trace
	}
	encoder := gob.NewEncoder(a.out)
	_, err := host.Inspect(ctx, library, observer, func(known *host.Inspection) error { return encoder.Encode(known) })
	if observer.trace != nil {
		err = a.closed(err, observer.trace.close())
	}
	if ctx.Err() != nil { // the parent says so
		return &reportedError{exitFailed}
	}
	return err
}

// lastInspection is the last that the child told whole, nil for nothing.
func lastInspection(answer *os.File) *host.Inspection {
	const most = 64 << 20
	decoder := gob.NewDecoder(io.NewSectionReader(answer, 0, most))
	var last *host.Inspection
	for {
		known := &host.Inspection{}
		if err := decoder.Decode(known); err != nil {
			return last
		}
		last = known
	}
}

// incident is the failure as bridge knows it.
func (e *moduleFailure) incident() *verdict.Incident {
	return &verdict.Incident{Function: e.Function, Signal: e.Signal, Hung: e.Hung, After: e.After}
}
