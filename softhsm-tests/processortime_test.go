package softhsmtests

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// processorTime is what the run used of the processors, which other work on the machine hardly changes.
func (r *running) processorTime() time.Duration {
	return r.ProcessState.UserTime() + r.ProcessState.SystemTime()
}

// processorTimeSoFar is the processorTime of a run that goes on: its own and its child's.
func (r *running) processorTimeSoFar(t *testing.T) (used time.Duration) {
	t.Helper()
	const ticks = 100 // in a second, on every Linux (proc(5), sysconf(_SC_CLK_TCK))
	for _, pid := range []int{r.Process.Pid, childOf(r.Process.Pid)} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it has ended, and is counted with its parent, or not at all
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // from the state on, the third one
		for _, field := range fields[14-3 : 18-3] {                               // utime, stime, cutime, cstime
			n, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			used += time.Duration(n) * time.Second / ticks
		}
	}
	return used
}
