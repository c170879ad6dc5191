//go:build !linux

package secret

// Lock does nothing on this system.
func Lock([]byte) {}

// LockProcess does nothing on this system.
func LockProcess() {}
