package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"p11bridge/cmd/frame"
	"p11bridge/token"
	"p11bridge/token/host"
)

// Between doctor and its children: on standard input the library to ask, on standard output what is known of it, again and
// again as more is known, since the next call may be the module's last. Both ends are this very program.

// orderedLibrary is a token.Library whose texts need not be UTF-8, as the names of files need not.
type orderedLibrary struct{ Path, InitString, Name, NamedBy []byte }

func writeOrder(order *os.File, l token.Library) error {
	if err := json.NewEncoder(order).Encode(orderedLibrary{[]byte(l.Path), []byte(l.InitString), []byte(l.Name), []byte(l.NamedBy)}); err != nil {
		return fmt.Errorf("tell the child process what to do: %w", err)
	}
	if _, err := order.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("tell the child process what to do: %w", err)
	}
	return nil
}

func readOrder(order io.Reader) (token.Library, error) {
	var l orderedLibrary
	if err := json.NewDecoder(order).Decode(&l); err != nil {
		return token.Library{}, fmt.Errorf("read what to do: %w", err)
	}
	return token.Library{Path: string(l.Path), InitString: string(l.InitString), Name: string(l.Name), NamedBy: string(l.NamedBy)}, nil
}

// inspectForParent is the child's half.
func inspectForParent(ctx context.Context, w *frame.Worker) (frame.Result, error) {
	library, err := readOrder(os.Stdin)
	if err != nil {
		return frame.Result{}, err
	}
	observer, err := w.ObserverOf(library.Path)
	if err != nil {
		return frame.Result{}, err
	}
	_, err = host.Inspect(ctx, library, observer, func(known *host.Inspection) error { return writeInspection(w.ToParent(), known) })
	if ctx.Err() != nil { // the parent says so
		return frame.Result{}, &frame.ReportedError{Code: frame.ExitFailed}
	}
	return frame.Result{}, err
}

func writeInspection(to io.Writer, known *host.Inspection) error {
	return json.NewEncoder(to).Encode(known)
}

// lastInspection is the last that the child told whole, nil for nothing.
func lastInspection(answer *os.File) *host.Inspection {
	const most = 64 << 20
	decoder := json.NewDecoder(io.NewSectionReader(answer, 0, most))
	var last *host.Inspection
	for {
		known := &host.Inspection{}
		if err := decoder.Decode(known); err != nil {
			return last
		}
		last = known
	}
}
