package view

import (
	"context"
	"sync"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/cmd/frame"
	"p11bridge/token/secret"
)

// Passwords are those of many copies. A source gives one for all of them. At the terminal a person is asked for another one wherever
// none that was typed so far opens a copy; it is tried on the copies that follow as well.
type Passwords struct {
	app    *frame.App
	source string
	aside  func(ask func()) // keeps the line of the progress away from a question

	mutex sync.Mutex
	known []*secret.Text
	own   map[string]found // where each copy has a password of its own, by its path; nil elsewhere
}

// found is the password of a copy, or why there is none.
type found struct {
	password *secret.Text
	err      error
}

// FirstPassword asks for the password, of what has the name, before the work begins. By the sources "sealed" and "dir:DIR" each copy has one
// of its own: they are all read here, so that whatever holds the keys to sealed ones can be closed before the work begins.
func FirstPassword(ctx context.Context, a *frame.App, source, name string, copies []*bridge.CheckedCopy) (*Passwords, error) {
	secret.LockProcess()
	if err := frame.CheckSource("--password-source", source, frame.PasswordSources); err != nil {
		return nil, err
	}
	if frame.EachHasOwn(source) {
		return findAll(ctx, a, source, copies)
	}
	first, err := a.KnownPassword(ctx, source, name)
	if err != nil {
		return nil, err
	}
	return &Passwords{app: a, source: source, known: []*secret.Text{first}, aside: func(ask func()) { ask() }}, nil
}

func findAll(ctx context.Context, a *frame.App, source string, copies []*bridge.CheckedCopy) (*Passwords, error) {
	if err := frame.CheckDirectory(source); err != nil {
		return nil, err
	}
	sealed := frame.IsSealed(source)
	if sealed {
		defer secret.Erase()
	}
	p := &Passwords{app: a, source: source, own: map[string]found{}, aside: func(ask func()) { ask() }}
	for _, c := range copies {
		if ctx.Err() != nil {
			p.Wipe()
			return nil, context.Cause(ctx)
		}
		if c.Backup != nil && (c.Backup.File != archive.FileIntact || c.Backup.PasswordLost()) {
			continue // told without it
		}
		password, err := a.KnownPassword(ctx, source, c.Path)
		switch {
		case err == nil:
		case !sealed:
			err = &bridge.OwnPasswordError{Err: err}
		case frame.EndsUnsealing(err):
			p.Wipe()
			return nil, err
		}
		p.own[c.Path] = found{password, err}
	}
	return p, nil
}

// of gives the password with the number n for a copy, nil where there is none.
func (p *Passwords) of(ctx context.Context, c *bridge.CheckedCopy, n int) (*secret.Text, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.own != nil {
		if n > 0 {
			return secret.None, nil
		}
		return p.own[c.Path].password, p.own[c.Path].err
	}
	if n < len(p.known) {
		return p.known[n], nil
	}
	var next *secret.Text
	var err error
	p.aside(func() { next, err = p.app.AnotherPassword(ctx, p.source, c.Path) })
	if err != nil || next == nil {
		return nil, err
	}
	p.known = append(p.known, next)
	return next, nil
}

// Wipe forgets them.
func (p *Passwords) Wipe() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, password := range p.known {
		password.Wipe()
	}
	for _, one := range p.own {
		one.password.Wipe()
	}
}
