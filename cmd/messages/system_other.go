//go:build !windows

package messages

// system is empty: the texts are written for all systems but Windows.
const system = ""

// systemLanguage is empty: the variables tell it.
func systemLanguage() string { return "" }
