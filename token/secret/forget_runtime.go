//go:build linux && goexperiment.runtimesecret

package secret

import "runtime/secret"

// forgets reports whether this build erases anything.
const forgets = true

func forget(f func()) { secret.Do(f) }

// outside has to be another goroutine: asmcgocall of Go 1.26 erases the registers that it goes on with.
func outside(f func()) {
	if !secret.Enabled() {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}
