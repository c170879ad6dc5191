package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"p11bridge/token"
)

// SoftHSMPassesOver finds a file of a SoftHSM token that this user may not read: SoftHSM keeps every object in a file of its own, and shows the
// token without those that it cannot open. It is empty where there is none, and for tokens of other makes.
func SoftHSMPassesOver(info *token.Info) string {
	if !strings.HasPrefix(string(info.Manufacturer), "SoftHSM") || info.Serial == "" {
		return ""
	}
	directory := FindSoftHSMConfiguration().TokenDirectory
	entries, err := os.ReadDir(directory)
	if err != nil {
		return ""
	}
	for _, entry := range entries { // the serial number is the end of the UUID that the token's directory is named after
		if !strings.HasSuffix(strings.ReplaceAll(entry.Name(), "-", ""), string(info.Serial)) {
			continue
		}
		if names := unreadable(filepath.Join(directory, entry.Name())); len(names) > 0 {
			return filepath.Join(directory, entry.Name(), slices.Min(names))
		}
	}
	return ""
}

// unreadable are the names of the object files of a directory that this user may not read. Nothing is opened: a token may have many.
func unreadable(path string) []string {
	directory, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer directory.Close()
	names, err := directory.Readdirnames(-1)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(names, func(name string) bool { return filepath.Ext(name) != ".object" || mayRead(directory, name) })
}
