package view

import (
	"context"
	"sync"

	"p11bridge/bridge"
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
}

// FirstPassword asks for the password, of what has the name, before the work begins.
func FirstPassword(ctx context.Context, a *frame.App, source, name string) (*Passwords, error) {
	secret.LockProcess()
	if err := frame.CheckSource("--password-source", source, frame.PasswordSources); err != nil {
		return nil, err
	}
	first, err := a.KnownPassword(ctx, source, name)
	if err != nil {
		return nil, err
	}
	return &Passwords{app: a, source: source, known: []*secret.Text{first}, aside: func(ask func()) { ask() }}, nil
}

// of gives the password with the number n for a copy, nil where there is none.
func (p *Passwords) of(ctx context.Context, c *bridge.CheckedCopy, n int) (*secret.Text, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
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
}
