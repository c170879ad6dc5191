package doctor

import (
	"context"
	"encoding/gob"
	"fmt"
	"io"
	"os"

	"p11bridge/cmd/frame"
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
func inspectForParent(ctx context.Context, w *frame.Worker) (frame.Result, error) {
	var library token.Library
	if err := gob.NewDecoder(os.Stdin).Decode(&library); err != nil {
		return frame.Result{}, fmt.Errorf("read what to do: %w", err)
	}
	observer, err := w.ObserverOf(library.Path)
	if err != nil {
		return frame.Result{}, err
	}
	encoder := gob.NewEncoder(w.ToParent())
	_, err = host.Inspect(ctx, library, observer, func(known *host.Inspection) error { return encoder.Encode(known) })
	if ctx.Err() != nil { // the parent says so
		return frame.Result{}, &frame.ReportedError{Code: frame.ExitFailed}
	}
	return frame.Result{}, err
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
