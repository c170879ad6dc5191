package secret

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// processLocked is set where LockProcess has locked everything, and Lock has nothing left to do.
var processLocked atomic.Bool

// Lock keeps the pages that b is in out of swap, as far as RLIMIT_MEMLOCK allows (mlock(2)). They stay locked: what else is on
// them may be as secret.
func Lock(b []byte) {
	if len(b) > 0 && !processLocked.Load() {
		_ = unix.Mlock(b) // beyond the limit there is nothing that could be done
	}
}

// LockProcess keeps everything that this process has and will have in memory out of swap, if it may lock as much as it likes:
// RLIMIT_MEMLOCK is unlimited, or it has CAP_IPC_LOCK. Otherwise it does nothing, since memory would run out with the limit.
func LockProcess() {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil || limit.Cur != unix.RLIM_INFINITY && !mayLock() {
		return
	}
	err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT) // as for Lock
	processLocked.Store(err == nil)
}

func mayLock() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&header, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_IPC_LOCK) != 0
}
