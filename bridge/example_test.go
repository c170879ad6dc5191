package bridge_test

import (
	"context"
	"fmt"
	"os"

	"p11bridge/bridge"
	"p11bridge/token/secret"
)

// Verify judges a file. That it is no valid copy is a result, and no error.
func ExampleVerify() {
	file, err := os.ReadFile("pfx/testdata/foreign/openssl-3des.p12")
	if err != nil {
		fmt.Println(err)
		return
	}
	password := func() (*secret.Text, error) { return secret.New([]byte("another")), nil }
	v, err := bridge.Verify(context.Background(), bridge.VerifyRequest{File: file, Password: password})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.Valid, v.Reasons[0].Code)
	// Output: false password-incorrect
}
