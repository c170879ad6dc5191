package frame

import (
	"fmt"
	"time"

	"golang.org/x/term"

	"p11bridge/token/secret"
)

// noticePassword says which readers a password shuts out.
func noticePassword(a *App, password *secret.Text) {
	for _, b := range password.Bytes() {
		if b >= 0x80 {
			a.Notice("notice.non-ascii-password", nil)
			return
		}
	}
}

// Slowly shows a line on a terminal once something takes longer than two seconds. The result ends it.
func Slowly(a *App, id string) (done func()) {
	if !term.IsTerminal(int(a.Err.Fd())) {
		return func() {}
	}
	timer := time.AfterFunc(2*time.Second, func() { fmt.Fprintln(a.Err, a.Text(id, nil)) })
	return func() { timer.Stop() }
}
