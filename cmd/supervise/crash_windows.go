package supervise

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"syscall"
)

// exceptions are the names of what ends a process (winnt.h, ntstatus.h).
var exceptions = map[uint32]string{
	0x80000003: "EXCEPTION_BREAKPOINT", 0x80000002: "EXCEPTION_DATATYPE_MISALIGNMENT", 0xC0000005: "EXCEPTION_ACCESS_VIOLATION",
	0xC0000006: "EXCEPTION_IN_PAGE_ERROR", 0xC000001D: "EXCEPTION_ILLEGAL_INSTRUCTION", 0xC0000025: "EXCEPTION_NONCONTINUABLE_EXCEPTION",
	0xC000008E: "EXCEPTION_FLT_DIVIDE_BY_ZERO", 0xC0000094: "EXCEPTION_INT_DIVIDE_BY_ZERO", 0xC0000096: "EXCEPTION_PRIV_INSTRUCTION",
	0xC00000FD: "EXCEPTION_STACK_OVERFLOW", 0xC0000374: "STATUS_HEAP_CORRUPTION", 0xC0000409: "STATUS_STACK_BUFFER_OVERRUN",
	0xC0000420: "STATUS_ASSERTION_FAILURE", 0x40000015: "STATUS_FATAL_APP_EXIT", 0xE06D7363: "an exception of C++",
}

// runtimeException is how Go's runtime begins to tell of a fault.
var runtimeException = regexp.MustCompile(`(?m)^(?:Exception|signal) 0x([0-9a-fA-F]+) `)

// deathSignal names the exception that the child died of. Go's runtime catches a fault in C code, says so and ends with an exit
// code of its own, so its words come first.
func deathSignal(state *os.ProcessState, said string) string {
	if match := runtimeException.FindStringSubmatch(said); match != nil {
		if code, err := strconv.ParseUint(match[1], 16, 32); err == nil {
			return exceptionName(uint32(code))
		}
	}
	const severe = 0xC0000000 // the codes of errors begin so (ntstatus.h)
	if status, ok := state.Sys().(syscall.WaitStatus); ok && (status.ExitCode >= severe || exceptions[status.ExitCode] != "") {
		return exceptionName(status.ExitCode)
	}
	return ""
}

func exceptionName(code uint32) string {
	if name, known := exceptions[code]; known {
		return fmt.Sprintf("%s (0x%08X)", name, code)
	}
	return fmt.Sprintf("0x%08X", code)
}
