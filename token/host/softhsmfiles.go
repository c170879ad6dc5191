package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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
		objects, err := filepath.Glob(filepath.Join(directory, entry.Name(), "*.object"))
		if err != nil {
			return ""
		}
		for _, path := range objects {
			file, err := openRegular(path)
			if errors.Is(err, fs.ErrPermission) {
				return path
			}
			if err == nil {
				_ = file.Close()
			}
		}
	}
	return ""
}
