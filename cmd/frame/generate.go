package frame

import (
	"crypto/rand"
	"fmt"

	"p11bridge/bridge"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/secret"
)

// shownGroups are the groups of a password that a person is shown: 125 bits.
const shownGroups = 5

// generate makes a password of 125 bits in five groups of five characters and shows it once, on the terminal and nowhere
// else: standard error may be a log.
func (a *App) generate() (*secret.Text, error) {
	tty, err := terminal.OpenOutput()
	if err != nil {
		return nil, Usage("error.generate-without-terminal", nil)
	}
	defer tty.Close()
	password, err := bridge.NewPassword(rand.Reader, shownGroups)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintln(tty, a.Text("prompt.generated", messages.Args{"Password": messages.Own(password.Reveal())})); err != nil {
		password.Wipe()
		return nil, terminal.ErrGone
	}
	return password, nil
}
