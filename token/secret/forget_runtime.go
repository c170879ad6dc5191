//go:build goexperiment.runtimesecret

package secret

import "runtime/secret"

// forgets tells whether this build erases anything.
const forgets = true

func forget(f func()) { secret.Do(f) }
