package frame

import "runtime/debug"

// Version is the version of this program, as the Go toolchain built it in.
func Version() string {
	info, known := debug.ReadBuildInfo()
	if !known {
		return "unknown"
	}
	return info.Main.Version
}
