package secret_test

import (
	"testing"

	"p11bridge/token/secret"
)

func TestOutsideIsWaitedFor(t *testing.T) {
	var order []string
	secret.Forget(func() {
		secret.Outside(func() { order = append(order, "outside") })
		order = append(order, "inside")
	})
	secret.Erase()
	if len(order) != 2 || order[0] != "outside" {
		t.Errorf("%q", order)
	}
}
