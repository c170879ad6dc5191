package messages

import "golang.org/x/sys/windows"

// system has Windows' own texts used.
const system = onWindows

// systemLanguage is the one in which Windows speaks to this person, as "es-ES"; empty where it does not tell.
func systemLanguage() string {
	languages, err := windows.GetUserPreferredUILanguages(windows.MUI_LANGUAGE_NAME)
	if err != nil || len(languages) == 0 {
		return ""
	}
	return languages[0]
}
