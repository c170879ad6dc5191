package pfx

import (
	"context"
	"runtime"
	"sync"
)

// derivations runs the key derivations of one file, in the order they were asked for, on as many cores as there are.
// When the last of them has ended and the owner has closed it, every result and the password are wiped.
type derivations struct {
	ctx      context.Context
	cancel   context.CancelFunc
	password *password

	mu      sync.Mutex
	queue   []*derivation
	all     []*derivation
	workers int
	closed  bool
}

// derivation is one result that is being made.
type derivation struct {
	kdf    kdf
	secret []byte // the password's own
	done   chan struct{}
	result []byte
	err    error
}

// newDerivations takes ownership of the password.
func newDerivations(ctx context.Context, p *password) *derivations {
	ctx, cancel := context.WithCancel(ctx)
	return &derivations{ctx: ctx, cancel: cancel, password: p}
}

// start begins a derivation from one reading of the password.
func (d *derivations) start(k kdf, from reading) *derivation {
	one := &derivation{kdf: k, secret: from.secret, done: make(chan struct{})}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue = append(d.queue, one)
	d.all = append(d.all, one)
	if d.workers < runtime.GOMAXPROCS(0) {
		d.workers++
		go d.work()
	}
	return one
}

func (d *derivations) work() {
	for {
		d.mu.Lock()
		if len(d.queue) == 0 {
			d.workers--
			d.wipeIfOver()
			d.mu.Unlock()
			return
		}
		one := d.queue[0]
		d.queue = d.queue[1:]
		d.mu.Unlock()

		if d.ctx.Err() != nil {
			one.err = context.Cause(d.ctx)
		} else {
			one.result, one.err = one.kdf(d.ctx, one.secret)
		}
		close(one.done)
	}
}

// wait returns the result, which stays the derivations' own, or the context's error as soon as there is one.
func (d *derivations) wait(one *derivation) ([]byte, error) {
	if d.ctx.Err() != nil {
		return nil, context.Cause(d.ctx)
	}
	select {
	case <-one.done:
		return one.result, one.err
	case <-d.ctx.Done():
		return nil, context.Cause(d.ctx)
	}
}

// close gives up what has not begun. What cannot be interrupted ends in the background and is wiped then.
func (d *derivations) close() {
	d.cancel()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.wipeIfOver()
}

func (d *derivations) wipeIfOver() {
	if !d.closed || d.workers > 0 {
		return
	}
	for _, one := range d.all {
		clear(one.result)
	}
	d.password.wipe()
}
