package supervise

import (
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"
)

// A secret in an environment variable goes to the child through the page, and stands in neither process's environment
// when the child starts. The child takes it out of the page when it needs it.
//
//	offset 0    1 where a variable is there; from offset 2 (16 bits) the length of its value
//	offset 8    its name, ended by a zero byte
//	offset 256  its value
const (
	variablesAt   = outputAt + outputSize
	variableSize  = 8 << 10
	variableCount = 4
	variableName  = 8
	variableValue = 256
)

func (p *Page) variable(i int) []byte {
	at := variablesAt + i*variableSize
	return p.memory[at : at+variableSize]
}

// moveVariables takes the variables out of this process's environment. One that is not set, or too long for the page, is
// left to the child's own look.
func (p *Page) moveVariables(names []string) error {
	used := 0
	for _, name := range names {
		value, set := os.LookupEnv(name)
		if !set || used == variableCount || len(name) >= variableValue-variableName || len(value) > variableSize-variableValue {
			continue
		}
		v := p.variable(used)
		used++
		copy(v[variableName:], name)
		copy(v[variableValue:], value)
		binary.NativeEndian.PutUint16(v[2:], uint16(len(value)))
		v[0] = 1
		if err := os.Unsetenv(name); err != nil {
			return fmt.Errorf("take %s out of the environment: %w", name, err)
		}
		// The runtime made the string of the environment when it started; nothing else refers to it now.
		clear(unsafe.Slice(unsafe.StringData(value), len(value)))
	}
	return nil
}

// TakeVariable gives the value of a variable that the parent moved, once.
func (p *Page) TakeVariable(name string) (value []byte, found bool) {
	for i := range variableCount {
		v := p.variable(i)
		end := variableName + len(name)
		if v[0] != 1 || end >= variableValue || string(v[variableName:end]) != name || v[end] != 0 {
			continue
		}
		length := min(int(binary.NativeEndian.Uint16(v[2:])), variableSize-variableValue)
		value = append([]byte{}, v[variableValue:variableValue+length]...)
		clear(v)
		return value, true
	}
	return nil, false
}
