package demo

import "os"

// MemoryDirectory is the directory for temporary files: Windows has no directory that is never on a disk.
func MemoryDirectory() string { return os.TempDir() }
