package token_test

import (
	"fmt"

	"p11bridge/token"
)

// A URI names objects by what is known of them (RFC 7512).
func ExampleParseURI() {
	uri, err := token.ParseURI("pkcs11:token=demo;id=%01%02;type=private")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(uri.Path["token"], uri.Path["type"])
	// Output: demo private
}
