package frame

import (
	"crypto/rand"
	"fmt"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/secret"
)

// generatedAlphabet has 32 characters that are hard to take for one another, and none that a shell treats specially.
const generatedAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"

// generate makes a password of 125 bits in five groups of five characters and shows it once, on the terminal and nowhere
// else: standard error may be a log.
func (a *App) generate() (*secret.Text, error) {
	tty, err := terminal.OpenOutput()
	if err != nil {
		return nil, Usage("error.generate-without-terminal", nil)
	}
	defer tty.Close()
	random := make([]byte, 25)
	if _, err := rand.Read(random); err != nil {
		return nil, fmt.Errorf("generate a password: %w", err)
	}
	var text []byte
	for i, b := range random {
		if i > 0 && i%5 == 0 {
			text = append(text, '-')
		}
		text = append(text, generatedAlphabet[int(b)%len(generatedAlphabet)])
	}
	password := secret.New(text)
	if _, err := fmt.Fprintln(tty, a.Text("prompt.generated", messages.Args{"Password": messages.Own(password.Reveal())})); err != nil {
		password.Wipe()
		return nil, terminal.ErrGone
	}
	return password, nil
}
