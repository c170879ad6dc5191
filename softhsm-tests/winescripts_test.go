//go:build wine

package softhsmtests

// leftToLinux are the scripts that do not run on the program for Windows, each with the reason.
var leftToLinux = map[string]string{}
