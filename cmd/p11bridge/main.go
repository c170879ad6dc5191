// p11bridge carries certificates and keys between PKCS#11 tokens and PFX files.
package main

import (
	"os"

	"p11bridge/cmd"
)

func main() { os.Exit(cmd.Main()) }
