package pfx

import (
	"bytes"
	"context"
	"runtime"
	"slices"
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
	held    bool // nothing begins yet
	closed  bool
}

// derivation is one result that is being made.
type derivation struct {
	kdf    kdf           // nil for one that deriveOwn makes
	pair   *pairable     // nil for one that is made alone
	pbkdf2 *pbkdf2Params // nil for one that is not found again
	size   int
	secret []byte // the password's own
	done   chan struct{}
	result []byte
	err    error
}

// newWriting is newDerivations for a file that is to be written. Nothing begins before release. The errors are ErrPasswordNotUTF8 and
// ErrPasswordNotBMP.
func newWriting(ctx context.Context, text []byte) (*derivations, error) {
	secret, err := newPassword(text)
	if err != nil {
		return nil, err
	}
	if secret.notBMP {
		secret.wipe()
		return nil, ErrPasswordNotBMP
	}
	d := newDerivations(ctx, secret)
	d.hold()
	return d, nil
}

// newDerivations takes ownership of the password.
func newDerivations(ctx context.Context, p *password) *derivations {
	ctx, cancel := context.WithCancel(ctx)
	return &derivations{ctx: ctx, cancel: cancel, password: p}
}

// start begins a derivation from one reading of the password.
func (d *derivations) start(k kdf, from reading) *derivation {
	return d.add(&derivation{kdf: k, secret: from.secret})
}

// startReading is start for a key by which something is read. What PBKDF2 makes of the same reading and parameters is made once.
func (d *derivations) startReading(source keySource, size int, from reading) *derivation {
	params, is := source.(*pbkdf2Params)
	if !is {
		return d.start(source.derive(size), from)
	}
	if one := d.find(params, size, from); one != nil {
		return one
	}
	return d.add(&derivation{kdf: source.derive(size), secret: from.secret, pbkdf2: params.clone(), size: size})
}

// find is the derivation that startReading has begun before; nil where there is none.
func (d *derivations) find(params *pbkdf2Params, size int, from reading) *derivation {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.all, func(one *derivation) bool {
		return one.pbkdf2 != nil && one.size == size && one.pbkdf2.same(params) && bytes.Equal(one.secret, from.secret)
	})
	if i < 0 {
		return nil
	}
	return d.all[i]
}

// startWriting is start for a key by which something is written.
func (d *derivations) startWriting(source keySource, size int, from reading) *derivation {
	one := &derivation{secret: from.secret}
	one.kdf, one.pair = writing(source, size)
	return d.add(one)
}

func (d *derivations) add(one *derivation) *derivation {
	one.done = make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue = append(d.queue, one)
	d.all = append(d.all, one)
	d.begin(1)
	return one
}

// known is a derivation that was made before. Its result is a copy, and wiped with the others.
func (d *derivations) known(key []byte) *derivation {
	one := &derivation{done: make(chan struct{}), result: bytes.Clone(key)}
	close(one.done)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, one)
	return one
}

// hold lets nothing begin until release: two pairable derivations are made in the time of one where both are known.
func (d *derivations) hold() { d.held = true }

func (d *derivations) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = false
	d.begin(len(d.queue))
}

// begin starts so many workers, up to one a core.
func (d *derivations) begin(workers int) {
	for ; !d.held && workers > 0 && d.workers < runtime.GOMAXPROCS(0); workers-- {
		d.workers++
		go d.work()
	}
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
		ones := d.next()
		d.mu.Unlock()

		switch one := ones[0]; {
		case d.ctx.Err() != nil:
			for _, one := range ones {
				one.err = context.Cause(d.ctx)
			}
		case len(ones) > 1 || one.kdf == nil:
			deriveOwn(d.ctx, ones)
		default:
			one.result, one.err = one.kdf(d.ctx, one.secret)
		}
		for _, one := range ones {
			close(one.done)
		}
	}
}

// next takes the first of the queue, and with a pairable one another that goes with it.
func (d *derivations) next() []*derivation {
	one := d.queue[0]
	d.queue = d.queue[1:]
	if one.pair == nil {
		return []*derivation{one}
	}
	i := slices.IndexFunc(d.queue, func(other *derivation) bool { return other.pair != nil && other.pair.goesWith(one.pair) })
	if i < 0 {
		return []*derivation{one}
	}
	other := d.queue[i]
	d.queue = slices.Delete(d.queue, i, i+1)
	return []*derivation{one, other}
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
