package supervise

import "encoding/binary"

// A child that dies while it changes something on a token cannot tell what it did. Then the parent starts another child, with the same
// arguments, that only looks what is there. The page tells it so:
//
//	offset 0    1 where the child is to look again for what the names in changes.go say
//	offset 8    how the child logged in, where that can be done again: five numbers of the PIN's file
//	offset 48   the length of that file's path, 0 where there was no such login; then the path
const (
	lookAgainAt = leftOutAt + leftOutSize
	loginAt     = lookAgainAt + 8
	loginPathAt = loginAt + 8*loginNumbers
	lookSize    = 4 << 10

	loginNumbers = 5
)

// Login is a login that succeeded with a PIN from a file. Who finds the same file unchanged can log in again without risking one of
// the tries that a token gives. The zero value is no login.
type Login struct {
	Path  string
	Stamp [loginNumbers]uint64 // that change with the file
}

// LookAgain is what a child is to look for, in place of its work: what another child has changed on a token.
type LookAgain struct {
	Changes
	Login Login
}

// setLookAgain readies the page for a child that looks again.
func (p *Page) setLookAgain(look *LookAgain) {
	if look == nil {
		return
	}
	p.memory[lookAgainAt] = 1
	p.setChanges(look.Changes)
	p.SetLogin(look.Login)
}

// LookAgain gives what this child is to look for; nil where it is to do its work.
func (p *Page) LookAgain() *LookAgain {
	if p.memory[lookAgainAt] != 1 {
		return nil
	}
	return &LookAgain{p.changes(), p.login()}
}

// SetLogin notes a login.
func (p *Page) SetLogin(l Login) {
	path := p.memory[loginPathAt+8 : lookAgainAt+lookSize]
	if len(l.Path) > len(path) {
		return
	}
	for i, number := range l.Stamp {
		binary.NativeEndian.PutUint64(p.memory[loginAt+8*i:], number)
	}
	copy(path, l.Path)
	binary.NativeEndian.PutUint64(p.memory[loginPathAt:], uint64(len(l.Path)))
}

func (p *Page) login() (l Login) {
	path := p.memory[loginPathAt+8 : lookAgainAt+lookSize]
	n := binary.NativeEndian.Uint64(p.memory[loginPathAt:])
	if n == 0 || n > uint64(len(path)) {
		return Login{}
	}
	for i := range l.Stamp {
		l.Stamp[i] = binary.NativeEndian.Uint64(p.memory[loginAt+8*i:])
	}
	l.Path = string(path[:n])
	return l
}
