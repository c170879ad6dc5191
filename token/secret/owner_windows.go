package secret

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// OwnerOnly is the access list of a file that holds a secret, in place of a mode: all rights for the user who runs this process,
// none for anybody else, and nothing from the folder. For a folder, inheritance has the flags of SDDL for what is made in it: "OICI".
func OwnerOnly(inheritance string) (*windows.SecurityAttributes, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("find out who runs this program: %w", err)
	}
	descriptor, err := windows.SecurityDescriptorFromString("D:P(A;" + inheritance + ";FA;;;" + user.User.Sid.String() + ")")
	if err != nil {
		return nil, fmt.Errorf("make an access list for the owner alone: %w", err)
	}
	return &windows.SecurityAttributes{Length: uint32(unsafe.Sizeof(windows.SecurityAttributes{})), SecurityDescriptor: descriptor}, nil
}
