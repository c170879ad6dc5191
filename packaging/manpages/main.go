// Manpages writes the man pages of p11bridge in all its languages: manpages DIRECTORY, which is what is /usr/share/man elsewhere.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"p11bridge/cmd"
	"p11bridge/cmd/messages"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: manpages DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "manpages:", err)
		os.Exit(1)
	}
}

// write puts English where every reader looks, and the other languages beside it.
func write(root string) error {
	for i, language := range messages.Languages() {
		directory := filepath.Join(root, language, "man1")
		if i == 0 {
			directory = filepath.Join(root, "man1")
		}
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return err
		}
		pages, err := cmd.Manual(language)
		if err != nil {
			return err
		}
		for name, page := range pages {
			if err := os.WriteFile(filepath.Join(directory, name), page, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
