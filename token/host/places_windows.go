package host

import (
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// moduleConfigurations is empty: p11-kit is not usual on Windows.
var moduleConfigurations []string

// softoknPlaces are where NSS's library is: with the programs that have profiles.
var softoknPlaces = []string{`Mozilla Firefox\softokn3.dll`, `Mozilla Thunderbird\softokn3.dll`, `LibreWolf\softokn3.dll`}

// The beginnings of libraries' names, in lower case.
const (
	softHSMLibrary = "softhsm2"
	pcscLibrary    = "winscard.dll"
	librarySuffix  = ".dll"
)

// softHSMConfigurationFile and softHSMDirectory are where SoftHSM's installer for Windows puts its own.
const (
	softHSMConfigurationFile = `C:\SoftHSM2\etc\softhsm2.conf`
	softHSMDirectory         = `C:\SoftHSM2\var\softhsm2\tokens`
)

// libraryRoots are the folders in which installers put libraries: the system's own, those of programs of 64 bits, for everybody and
// for one person.
var libraryRoots = []string{systemFolder(), os.Getenv("ProgramW6432"), os.Getenv("ProgramFiles"), filepath.Join(os.Getenv("LOCALAPPDATA"), "Programs")}

func systemFolder() string {
	folder, err := windows.GetSystemDirectory()
	if err != nil {
		return `C:\Windows\System32`
	}
	return folder
}

// usualPlaces are where the vendors' installers put their modules of 64 bits.
var usualPlaces = []place{
	{`C:\SoftHSM2\lib\softhsm2-x64.dll`, "SoftHSM2 for Windows", false},
	{`OpenSC Project\OpenSC\pkcs11\opensc-pkcs11.dll`, "OpenSC", true},
	{`Yubico\Yubico PIV Tool\bin\libykcs11.dll`, "Yubico, yubico-piv-tool", true},
	{`Yubico\YubiHSM Shell\bin\pkcs11\yubihsm_pkcs11.dll`, "Yubico, yubihsm-shell", false},
	{`sc-hsm-pkcs11.dll`, "CardContact, sc-hsm-embedded", true},
	{`DNIE_P11_x64.dll`, "Policía Nacional (Spain), for the DNIe", true},
	{`FNMT_P11_x64.dll`, "FNMT (Spain), for its cards and the DNIe", true},
	{`SafeNet\Authentication\SAC\x64\IDPrimePKCS1164.dll`, "Thales, SafeNet Authentication Client, for IDPrime cards", true},
	{`eTPKCS11.dll`, "Thales, SafeNet Authentication Client, for eToken", true},
	{`bit4xpki.dll`, "Bit4id, universal middleware", true},
	{`bit4ipki.dll`, "Bit4id, for Incard cards", true},
	{`bit4opki.dll`, "Bit4id, for Oberthur cards", true},
	{`asepkcs.dll`, "Athena, IDProtect client", true},
	{`aetpkss1.dll`, "AET, SafeSign Identity Client", true},
	{`Amazon\CloudHSM\lib\cloudhsm_pkcs11.dll`, "Amazon, CloudHSM client 5", false},
	{`nCipher\nfast\toolkits\pkcs11\cknfast.dll`, "Entrust, nShield Security World", false},
	{`SafeNet\LunaClient\cryptoki.dll`, "Thales, Luna client", false},
	{`Utimaco\SecurityServer\Lib\cs_pkcs11_R3.dll`, "Utimaco, SecurityServer", false},
}

// pcscAlone are modules that reach their readers through PC/SC and stand in no usual place.
var pcscAlone = []string{"onepin-opensc-pkcs11"}

// profilePlaces are the folders, below profileHome, in which programs on Windows keep their profiles.
var profilePlaces = []struct {
	program string
	path    string
	single  bool
}{
	{"Firefox", `Mozilla\Firefox`, false},
	{"Thunderbird", "Thunderbird", false},
	{"LibreWolf", "librewolf", false},
}

// profileHome is the person's folder for programs' data, %APPDATA%.
func profileHome() (string, error) { return os.UserConfigDir() }

// loadedLibraries names the libraries of this process. Where the system does not tell, it gives none.
func loadedLibraries() (names []string) {
	var modules [1024]windows.Handle
	var needed uint32
	process := windows.CurrentProcess()
	if windows.EnumProcessModules(process, &modules[0], uint32(unsafe.Sizeof(modules)), &needed) != nil {
		return nil
	}
	count := min(int(needed)/int(unsafe.Sizeof(modules[0])), len(modules))
	for _, module := range modules[:count] {
		var path [windows.MAX_PATH]uint16
		if _, err := windows.GetModuleFileName(module, &path[0], uint32(len(path))); err == nil {
			names = append(names, strings.ToLower(filepath.Base(windows.UTF16ToString(path[:]))))
		}
	}
	return names
}
