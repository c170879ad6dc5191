package host

import (
	"bufio"
	"os"
	"path/filepath"
)

// Where p11-kit keeps its module configuration, the later overriding the earlier (pkcs11.conf(5)).
var moduleConfigurations = []string{"/usr/share/p11-kit/modules", "/etc/pkcs11/modules", "~/.config/pkcs11/modules"}

// softoknPlaces are where NSS's library is.
var softoknPlaces = []string{"libsoftokn3.so", "nss/libsoftokn3.so"}

// The beginnings of libraries' names.
const (
	softHSMLibrary = "libsofthsm"
	pcscLibrary    = "libpcsclite.so"
	libraryEnding  = ".so"
)

// softHSMConfigurationFile is the system's own configuration of SoftHSM, and softHSMDirectory where it keeps tokens where the
// configuration names no place.
const (
	softHSMConfigurationFile = "/etc/softhsm/softhsm2.conf"
	softHSMDirectory         = "/var/lib/softhsm/tokens"
)

// libraryRoots are the directories under which Linux distributions keep libraries.
var libraryRoots = []string{
	"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib64", "/usr/local/lib",
}

// usualPlaces are the modules of distributions first, then those of vendors.
var usualPlaces = []place{
	{"softhsm/libsofthsm2.so", "Debian, softhsm2", false},
	{"pkcs11/libsofthsm2.so", "Fedora, softhsm", false},
	{"opensc-pkcs11.so", "Debian, opensc-pkcs11", true},
	{"pkcs11/opensc-pkcs11.so", "Fedora, opensc", true},
	{"libykcs11.so", "Yubico, yubico-piv-tool", true},
	{"libykcs11.so.2", "Debian, ykcs11", true},
	{"pkcs11/yubihsm_pkcs11.so", "Yubico, yubihsm-shell", false},
	{"libtpm2_pkcs11.so.1", "Debian 12, libtpm2-pkcs11-1", false},
	{"pkcs11/libtpm2_pkcs11.so", "Debian 13 and Fedora, tpm2-pkcs11", false},
	{"opencryptoki/libopencryptoki.so.0", "Debian, libopencryptoki0", false},
	{"pkcs11/libopencryptoki.so", "Debian and Fedora, opencryptoki", false},
	{"opencryptoki/libopencryptoki.so", "openCryptoki from source", false},
	{"libsc-hsm-pkcs11.so", "CardContact, sc-hsm-embedded", true},
	{"libpkcs11-dnie.so", "Policía Nacional (Spain), libpkcs11-dnie", true},
	{"libpkcs11-fnmtdnie.so", "FNMT (Spain), libpkcs11-fnmtdnie", true},
	{"libIDPrimePKCS11.so", "Thales, SafeNet Authentication Client, for IDPrime cards", true},
	{"pkcs11/libIDPrimePKCS11.so", "the same, as its own packages link it", true},
	{"libeToken.so", "Thales, SafeNet Authentication Client, for eToken", true},
	{"libeTPkcs11.so", "SafeNet Authentication Client, the older name", true},
	{"libbit4xpki.so", "Bit4id, universal middleware", true},
	{"bit4id/libbit4xpki.so", "Bit4id, bit4id-xpki", true},
	{"libbit4ipki.so", "Bit4id, for Incard cards", true},
	{"libbit4opki.so", "Bit4id, for Oberthur cards", true},
	{"libASEP11.so", "Athena, IDProtect client", true},
	{"/usr/lib/x64-athena/libASEP11.so", "Athena, IDProtect client for 64 bits", true},
	{"libaetpkss.so.3", "AET, SafeSign Identity Client", true},
	{"libaetpkss.so", "the same, the link that older versions install", true},
	{"/opt/cloudhsm/lib/libcloudhsm_pkcs11.so", "Amazon, CloudHSM client 5", false},
	{"/opt/nfast/toolkits/pkcs11/libcknfast.so", "Entrust, nShield Security World", false},
	{"/usr/safenet/lunaclient/lib/libCryptoki2_64.so", "Thales, Luna client", false},
	{"/opt/utimaco/p11/libcs_pkcs11_R3.so", "Utimaco, CryptoServer", false},
}

// pcscAlone are modules that reach their readers through PC/SC and are named by p11-kit only.
var pcscAlone = []string{"onepin-opensc-pkcs11"}

// profileHome is the folder that profilePlaces are below.
func profileHome() (string, error) { return os.UserHomeDir() }

// loadedLibraries names the files that are mapped into this process. Where the system does not tell, it gives none.
func loadedLibraries() (names []string) {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil
	}
	defer maps.Close()
	scanner := bufio.NewScanner(maps)
	for scanner.Scan() {
		names = append(names, filepath.Base(scanner.Text()))
	}
	return names
}
