package messages

// system is empty: the texts are written for Linux.
const system = ""

// systemLanguage is empty: the variables tell it.
func systemLanguage() string { return "" }
