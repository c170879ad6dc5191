package archive

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

func mediumOf(directory string) Medium {
	absolute, err := filepath.Abs(directory)
	if err != nil {
		return ""
	}
	root, err := windows.UTF16PtrFromString(filepath.VolumeName(absolute) + `\`)
	if err != nil {
		return ""
	}
	switch windows.GetDriveType(root) {
	case windows.DRIVE_RAMDISK:
		return MediumRAMDisk
	case windows.DRIVE_REMOVABLE:
		return MediumRemovable
	case windows.DRIVE_REMOTE:
		return MediumNetwork
	}
	return ""
}
