package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// moduleConfigurations is empty: p11-kit is not usual on Windows.
var moduleConfigurations []string

// manifestKey is where installers register a module with Firefox: a subkey whose default value is the path of a manifest (MDN, Native
// manifests, "Manifest location"). It is the one place in the registry in which vendors of different modules write in the same form.
const manifestKey = `SOFTWARE\Mozilla\PKCS11Modules`

// maxManifests bounds how many are read of one key.
const maxManifests = 64

// moduleManifests are the files that the registry names, for this person and for everybody; those for programs of 32 bits come last.
func moduleManifests() (files []string) {
	for _, view := range []uint32{registry.WOW64_64KEY, registry.WOW64_32KEY} {
		for _, root := range []registry.Key{registry.CURRENT_USER, registry.LOCAL_MACHINE} {
			files = append(files, manifestsOf(root, view)...)
		}
	}
	return files
}

func manifestsOf(root registry.Key, view uint32) (files []string) {
	key, err := registry.OpenKey(root, manifestKey, registry.ENUMERATE_SUB_KEYS|view)
	if err != nil {
		return nil // nobody registered one
	}
	defer key.Close()
	names, _ := key.ReadSubKeyNames(maxManifests) // with io.EOF where there are fewer
	for _, name := range names {
		module, err := registry.OpenKey(key, name, registry.QUERY_VALUE|view)
		if err != nil {
			continue
		}
		if file, _, err := module.GetStringValue(""); err == nil && filepath.IsAbs(file) {
			files = append(files, file)
		}
		_ = module.Close()
	}
	return files
}

// softoknPlaces are where NSS's library is: with the programs that have profiles.
var softoknPlaces = []string{`Mozilla Firefox\softokn3.dll`, `Mozilla Thunderbird\softokn3.dll`, `LibreWolf\softokn3.dll`}

// The beginnings of libraries' names, in lower case.
const (
	softHSMLibrary = "softhsm2"
	pcscLibrary    = "winscard.dll"
	librarySuffix  = ".dll"
)

// softHSMConfigurationFile is the configuration that SoftHSM2 for Windows reads where no other one is named, and softHSMDirectory where it keeps
// tokens where that names no place: both in the current folder (its README, and config.h of its build).
const (
	softHSMConfigurationFile = "softhsm2.conf"
	softHSMDirectory         = "tokens"
)

// ownSoftHSMConfiguration is the person's own, which SoftHSM2 for Windows reads before that of the current folder.
func ownSoftHSMConfiguration() string {
	return os.Getenv("HOMEDRIVE") + os.Getenv("HOMEPATH") + `\softhsm2.conf`
}

// softHSMPlaces are where the installer of SoftHSM2 for Windows puts the library, and nowhere where SOFTHSM2_CONF is not set, as the installer
// sets it to the configuration in the folder of its user's choice: in the root of a drive anybody may make a folder, so that a library
// which is found there alone may be anybody's.
func softHSMPlaces() []place {
	const source = "SoftHSM2 for Windows: the sources of disig's installer name the folder and the file"
	configuration := os.Getenv("SOFTHSM2_CONF")
	folder := filepath.Dir(configuration)
	switch {
	case configuration == "":
		return nil
	case filepath.IsAbs(folder) && strings.EqualFold(filepath.Base(folder), "etc"):
		return []place{{filepath.Join(filepath.Dir(folder), `lib\softhsm2-x64.dll`), source, false}}
	default: // a configuration of the person's own
		return []place{{`C:\SoftHSM2\lib\softhsm2-x64.dll`, source, false}}
	}
}

// libraryRoots are the folders in which installers put libraries: the system's own, those of programs of 64 bits, for everybody and
// for one person. One that the environment does not name is none: what is joined to it would be looked for in the current folder, where
// anybody may have put it.
var libraryRoots = slices.DeleteFunc([]string{
	systemFolder(), os.Getenv("ProgramW6432"), os.Getenv("ProgramFiles"), os.Getenv("LOCALAPPDATA"), os.Getenv("LOCALAPPDATA") + `\Programs`,
}, func(root string) bool { return !filepath.IsAbs(root) })

func systemFolder() string {
	folder, err := windows.GetSystemDirectory()
	if err != nil {
		return `C:\Windows\System32`
	}
	return folder
}

// narrowRoots are the folders of programs of 32 bits. Some installers put libraries of 64 bits there, too; and of a library that is there alone
// the person is to hear that it is for 32 bits, and not that there is none.
var narrowRoots = slices.DeleteFunc([]string{
	filepath.Join(filepath.Dir(systemFolder()), "SysWOW64"), os.Getenv("ProgramFiles(x86)"),
}, func(root string) bool { return !filepath.IsAbs(root) })

// usualPlaces are where installers put their modules, each with where its place was read: in the sources of the vendor's own installer or in
// the vendor's documents where they could be had, else in what others write who load it. None was compared with installed software.
var usualPlaces = append(softHSMPlaces(), []place{
	{`OpenSC Project\OpenSC\pkcs11\opensc-pkcs11.dll`, "OpenSC: the sources of its installer, and its guide for Firefox", true},
	{`opensc-pkcs11.dll`, "OpenSC before 0.17: signing programs look for it in System32, too", true},
	{`Yubico\Yubico PIV Tool\bin\libykcs11.dll`, "Yubico, yubico-piv-tool: the sources of its installer name the folder, code examples the file", true},
	{`Yubico\YubiHSM Shell\bin\pkcs11\yubihsm_pkcs11.dll`, "Yubico, yubihsm-shell: the sources of its installer, and the script that signs it", false},
	{`sc-hsm-pkcs11.dll`, "CardContact, sc-hsm-embedded: its extension for Firefox loads it by this name alone, which is System32", true},
	{`CardContact\SmartCard-HSM Middleware\sc-hsm-pkcs11.dll`, "CardContact: a program for Windows looks for it there", true},
	{`DNIe_P11_x64.dll`, "Policía Nacional (Spain), for the DNIe: Autofirma's sources and tests, in System32", true},
	{`FNMT_P11_x64.dll`, "FNMT (Spain), for its cards and the DNIe: Autofirma's sources, in System32", true},
	{`pteidpkcs11.dll`, "AMA (Portugal), Autenticação.gov: the sources of its installer, in System32", true},
	{`beidpkcs11.dll`, "Belgium's eID middleware: the sources of its installer, in System32", true},
	{`CIEPKI.dll`, "Italy's CIE middleware: the sources of its installer, in System32", true},
	{`Softemia\mcard\mcard-pkcs11.dll`, "Lithuania's eID: Web eID, of the Estonian Information System Authority, loads it from there", true},
	{`AKD\Certilia Middleware\pkcs11\AkdEidPkcs11_64.dll`, "Croatia's eID: Web eID loads it from there", true},
	{`AKD\eID Middleware\pkcs11\AkdEidPkcs11_64.dll`, "the same before it was named Certilia: Web eID loads it from there", true},
	{`eopproxyp11.dll`, "Czechia's eID: Web eID loads it from System32", true},
	{`eID_klient\pkcs11_x64.dll`, "Slovakia's eID klient: Autogram loads it from Program Files (x86)", true},
	{`EAC MW klient\pkcs11_x64.dll`, "the same before it was named eID klient: signing programs load it from Program Files (x86)", true},
	{`TrustEdgeID\netsetpkcs11_x64.dll`, "Serbia's eID, NetSeT: signing programs load it from there", true},
	{`MUP RS\Celik\netsetpkcs11_x64.dll`, "the same, of 2019: signing programs load it from there", true},
	{`Gemalto\Classic Client\BIN\gclib.dll`, "Thales, Classic Client, for Luxembourg's cards: Web eID loads it from there", true},
	{`Thales\Classic Client\BIN\gclib.dll`, "the same in later versions: a signing program loads it from there", true},
	{`SafeNet\Authentication\SAC\x64\IDPrimePKCS1164.dll`, "Thales, SafeNet Authentication Client, for IDPrime cards: signing programs load it from there", true},
	{`Gemalto\IDGo 800 PKCS#11\IDPrimePKCS1164.dll`, "Gemalto (Thales), IDGo 800, for IDPrime cards: signing programs load it from there", true},
	{`eTPKCS11.dll`, "Thales, SafeNet Authentication Client, for eToken: signing programs load it from System32", true},
	{`bit4xpki.dll`, "Bit4id, universal middleware: signing programs load it from System32", true},
	{`bit4ipki.dll`, "Bit4id, for Incard cards: signing programs load it from System32", true},
	{`bit4opki.dll`, "Bit4id, for Oberthur cards: signing programs load it from System32", true},
	{`asepkcs.dll`, "Athena, IDProtect client: signing programs load it from System32", true},
	{`aetpkss1.dll`, "AET, SafeSign Identity Client: guides for Adobe Acrobat and signing programs, in System32", true},
	{`OcsCryptoki.dll`, "Oberthur and IDEMIA, AWP: signing programs load it from System32", true},
	{`eps2003csp11.dll`, "Feitian, ePass2003: signing programs load it from System32", true},
	{`WDPKCS.dll`, "Watchdata, ProxKey: signing programs load it from System32", true},
	{`Watchdata\Watchdata Brazil CSP v1.0\WDPKCS.dll`, "Watchdata, for Brazil: signing programs load it from this folder of System32", true},
	{`cryptoCertum3PKCS.dll`, "Asseco (Poland), proCertum CardManager: signing programs load it from System32", true},
	{`SecureStorePkcs11.dll`, "I.CA (Czechia), SecureStore: Autogram loads it from System32", true},
	{`proidqcm11.dll`, "MONET+, ProID+Q: Autogram loads it from System32", true},
	{`cvP11.dll`, "cryptovision, sc/interface: signing programs load it from System32", true},
	{`Personal\bin64\personal64.dll`, "Nexus, Personal Desktop Client: signing programs load it from Program Files (x86)", true},
	{`Net iD\iidp11.dll`, "SecMaker, Net iD Enterprise: a program for Windows looks for it there", true},
	{`HID Global\ActivClient\acpkcs211.dll`, "HID Global, ActivClient: NASA's guide for its users and signing programs load it from there", true},
	{`Amazon\CloudHSM\lib\cloudhsm_pkcs11.dll`, "Amazon, CloudHSM client 5: Amazon's own code examples for PKCS#11", false},
	{`nCipher\nfast\toolkits\pkcs11\cknfast.dll`, "Entrust, nShield Security World: code examples and guides of programs that use it", false},
	{`nCipher\nfast\toolkits\pkcs11\cknfast-64.dll`, "the same in versions whose cknfast.dll is for 32 bits: programs load it from Program Files (x86)", false},
	{`SafeNet\LunaClient\cryptoki.dll`, "Thales, Luna client: code examples and guides of programs that use it", false},
	{`Utimaco\CryptoServer\Lib\cs_pkcs11_R3.dll`, "Utimaco, CryptoServer: documents of programs that use it", false},
	{`Utimaco\SecurityServer\Lib\cs_pkcs11_R3.dll`, "Utimaco, SecurityServer: the folder of its documents for Java; its PKCS#11 example names the file in Lib", false},
}...)

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
