package archive

import "golang.org/x/sys/unix"

func mediumOf(directory string) Medium {
	var system unix.Statfs_t
	if err := unix.Statfs(directory, &system); err != nil {
		return ""
	}
	switch uint32(system.Type) {
	case unix.TMPFS_MAGIC:
		return MediumTmpfs
	case unix.RAMFS_MAGIC:
		return MediumRamfs
	case unix.OVERLAYFS_SUPER_MAGIC:
		return MediumOverlay
	}
	return ""
}
