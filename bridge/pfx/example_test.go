package pfx_test

import (
	"fmt"
	"os"

	"p11bridge/bridge/pfx"
)

// Inspect tells what can be known of a file without its password.
func ExampleInspect() {
	file, err := os.ReadFile("testdata/foreign/openssl-3des.p12")
	if err != nil {
		fmt.Println(err)
		return
	}
	facts, err := pfx.Inspect(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(facts.Iterations)
	// Output: 100
}
