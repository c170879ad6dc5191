package supervise

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"p11bridge/token/secret"
)

// Child is the working half of a supervised command.
type Child struct {
	Page *Page
	Out  *Stream // our own standard output and error; the module has others
	Err  *Stream
}

// ErrIsParent means that this process was not started by another one of its kind.
var ErrIsParent = errors.New("not a child process")

// BecomeChild takes over the descriptors that the parent left, which are none of the user's, and forbids core dumps. In the
// parent the error is ErrIsParent. Standard output and error are the module's; what the child says goes through the page.
func BecomeChild(given Descriptors) (*Child, error) {
	descriptors := os.Getenv(childVariable)
	if descriptors == "" {
		return nil, ErrIsParent
	}
	if err := ForbidCoreDumps(); err != nil {
		return nil, err
	}
	if err := os.Unsetenv(childVariable); err != nil {
		return nil, fmt.Errorf("child process: %w", err)
	}
	pageFile, crash, err := takeOver(descriptors, given)
	if err != nil {
		return nil, err
	}
	page, err := takeCallPage(pageFile)
	if err = errors.Join(err, pageFile.Close()); err != nil {
		return nil, err
	}
	streams := &sync.Mutex{}
	c := &Child{
		Page: page,
		Out:  &Stream{page: page, mutex: streams, number: 0, parent: os.Getppid()},
		Err:  &Stream{page: page, mutex: streams, number: 1, parent: os.Getppid()},
	}
	// What Go's runtime says of a fault in the module goes where the module cannot add to it: the parent finds the signal in
	// it. To tell of all threads, as GOTRACEBACK=crash does, takes seconds.
	debug.SetTraceback("single")
	if err := errors.Join(debug.SetCrashOutput(crash, debug.CrashOptions{}), crash.Close()); err != nil {
		return nil, fmt.Errorf("child process: %w", err)
	}
	boundMemory()
	secret.LockProcess()
	return c, nil
}

// boundMemory has the collector work seldom, and from a token of about fifty thousand objects on more often in place of taking memory for
// garbage: a hundred thousand are listed in 225 MiB, the module's part among them. In a token of a thousand identities it would find nothing
// to free that is worth its time. It is no limit to what is in use, and whoever sets GOMEMLIMIT or GOGC has another.
func boundMemory() {
	const enough, seldom = 176 << 20, 400
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(seldom)
	}
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(enough)
	}
}

// Finish notes that the child ends in its own words, with this exit code. No module does anything after it.
func (c *Child) Finish(code int) {
	c.Page.finish()
	leave(code)
}

// EndUnheeded ends this process where a signal was not heeded: the module may not return, and the parent, who would end
// it, may be gone.
func EndUnheeded(ctx context.Context) {
	<-ctx.Done()
	time.Sleep(2 * graceAfterSignal)
	endAtOnce()
}
