package host

// profilePlaces are the folders, below a person's own, in which programs on Linux keep their profiles: as distributions
// install them, as snaps and as flatpaks. A single one is itself the database.
var profilePlaces = []struct {
	program string
	path    string
	single  bool
}{
	{"Firefox", ".mozilla/firefox", false},
	{"Firefox", ".config/mozilla/firefox", false}, // Firefox from 147 on, where there is no older folder
	{"Firefox (snap)", "snap/firefox/common/.mozilla/firefox", false},
	{"Firefox (flatpak)", ".var/app/org.mozilla.firefox/.mozilla/firefox", false},
	{"Firefox (flatpak)", ".var/app/org.mozilla.firefox/config/mozilla/firefox", false},
	{"Thunderbird", ".thunderbird", false},
	{"Thunderbird (snap)", "snap/thunderbird/common/.thunderbird", false},
	{"Thunderbird (flatpak)", ".var/app/org.mozilla.Thunderbird/.thunderbird", false},
	{"LibreWolf", ".librewolf", false},
	{"LibreWolf", ".config/librewolf/librewolf", false},
	{"LibreWolf (flatpak)", ".var/app/io.gitlab.librewolf-community/.librewolf", false},
	{"Chromium", ".pki/nssdb", true},
	{"Chromium", ".local/share/pki/nssdb", true}, // where ~/.pki is not there
	{"Chromium (snap)", "snap/chromium/current/.pki/nssdb", true},
	{"Chromium (flatpak)", ".var/app/org.chromium.Chromium/.pki/nssdb", true},
	{"Chrome (flatpak)", ".var/app/com.google.Chrome/.pki/nssdb", true},
}
