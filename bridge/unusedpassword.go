package bridge

import (
	"os"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
)

// sealedAt is the path where a sealed password stands there, else empty.
func sealedAt(path string) string {
	if _, err := ReadSealed(path); err != nil {
		return ""
	}
	return path
}

// makeRoom sets a sealed password aside that would keep the new one from its name. A run that was ended after it gave a sealed password its
// name, and before it gave the file its own, leaves one. settle, which is called after the export, undoes that where the export failed.
func (o olderBackup) makeRoom(item *Item) (settle func() error, err error) {
	aside := ""
	if o.unused != "" {
		if aside, err = archive.SetAside(o.unused); err != nil {
			return nil, err
		}
	}
	return func() error {
		switch {
		case item.Outcome != Exported && aside != "":
			return archive.TakeBack(aside, o.unused)
		case item.Outcome != Exported:
			return nil
		case aside != "":
			item.Result.keptUnused(aside)
		}
		if o.kept != "" { // the password of the file that was replaced; where it stays, the next run that would replace one names it
			_ = os.Remove(o.kept)
		}
		return nil
	}, nil
}

// leave sets the sealed password of a file aside that was replaced by one with a given password. Where that fails it is told of all the same.
func (o olderBackup) leave(result *ExportResult) {
	if o.unused == "" {
		return
	}
	aside, err := archive.SetAside(o.unused)
	if err != nil {
		aside = o.unused
	}
	result.keptUnused(aside)
}

func (r *ExportResult) keptUnused(path string) {
	r.Notices = append(r.Notices, verdict.Because(verdict.SealedPasswordUnused, verdict.Fact{Name: "file", Value: path}))
}
