package secret

import "runtime"

// Forget runs f so that what f leaves behind in this process's memory can be erased: its stack and its registers are when
// Forget returns, its heap is by Erase. That is so in a build with GOEXPERIMENT=runtimesecret for Linux on amd64 and arm64;
// in other builds Forget is f and no more. It does not reach what a goroutine that f starts leaves behind, nor the memory of
// C code.
//
// What f gives to its caller lives on, and is erased once nothing refers to it. C code must not be called within f but by
// Outside: Go 1.26 crashes.
func Forget(f func()) { forget(f) }

// Outside runs f, which calls C code, on a goroutine of its own where Forget is under way, and waits for it. f itself has to
// wipe what it leaves.
func Outside(f func()) { outside(f) }

// collections are enough to let go of what a pool or a cache of the standard library holds: such things outlive one.
const collections = 3

// Erase overwrites everything that was allocated within Forget and that nothing refers to any more. It takes some
// milliseconds. In a build without GOEXPERIMENT=runtimesecret it does nothing.
func Erase() {
	if !forgets {
		return
	}
	for range collections {
		runtime.GC()
	}
}
