package supervise

import (
	"context"
	"os"
	"os/signal"
)

// Interruption is the cause of a context that a signal ended. It is context.Canceled to errors.Is: what the standard
// library's own cause is to it depends on the patch level of Go 1.26.
type Interruption struct{ Signal os.Signal }

// Error names the signal.
func (e *Interruption) Error() string { return "interrupted by a signal: " + e.Signal.String() }

// Unwrap gives context.Canceled.
func (*Interruption) Unwrap() error { return context.Canceled }

// Interruptible gives a context that ends with the first signal that asks the program to end; its cause is an
// *Interruption. After stop the signals act as they do by default.
func Interruptible(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, endSignals...)
	go func() {
		select {
		case s := <-signals:
			cancel(&Interruption{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(context.Canceled)
	}
}
